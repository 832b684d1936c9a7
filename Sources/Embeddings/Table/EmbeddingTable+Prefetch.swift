public import StorageBase
import Synchronization

extension EmbeddingTable {
  /// Brings the rows of `ids`, those of a batch to come, into the cache, behind the training loop.
  ///
  /// Returns at once: a thread reads the rows that are not cached, so that the batch finds them. Ids
  /// that have no row stay without one. It pays where the cache is smaller than the table and the
  /// loop would wait for the disk; ids that are cached cost a probe each, in the other thread.
  ///
  /// It is a hint. Where more than a few batches wait, the oldest is forgotten; where a row cannot be
  /// read, the batch itself will say so. A read-only table has no cache, and nothing happens.
  ///
  ///     for (batch, next) in zip(batches, batches.dropFirst()) {
  ///       table.prefetch(next.ids)
  ///       try train(batch)
  ///     }
  public func prefetch(_ ids: borrowing IDBatch) {
    guard !database.isReadOnly, ids.type == storage.idType, ids.count > 0,
      let column = IDColumn(copying: ids), core.prefetches.add(column)
    else { return }
    let isStarted = runInBackground { [self] in
      while let next = core.prefetches.next() {
        try? load(next)
      }
    }
    if !isStarted { core.prefetches.removeAll() }
  }

  /// Caches the rows of `ids` that exist, a few at a time: a commit that is being fixed, and every
  /// batch behind it, waits for those at work.
  private func load(_ ids: IDColumn) throws(EmbeddingError) {
    let atOnce = 256
    try ids.batch.withUnsafeIDs { (ids) throws(EmbeddingError) in
      try core.scratch.withScratch { (scratch) throws(EmbeddingError) in
        for start in stride(from: 0, to: ids.count, by: atOnce) {
          let count = min(atOnce, ids.count - start)
          // Unsafe: a part of the ids at hand.
          let part = UnsafeIDs(
            count: count, int64s: ids.int64s.map { $0 + start },
            offsets: ids.offsets.map { $0 + start }, bytes: ids.bytes)
          let hasRoom = try database.gate.shared { () throws(EmbeddingError) in
            try database.checkOpen()
            return try load(part, scratch)
          }
          guard hasRoom else { return }
        }
      }
    }
  }

  /// Returns false where there is no room for more.
  private func load(
    _ ids: UnsafeIDs, _ scratch: BatchScratch
  ) throws(EmbeddingError) -> Bool {
    scratch.group(ids, in: cache)
    let misses = scratch.misses
    forEachShard(scratch) { rows, range in
      rows.forEachSlot(
        in: range, of: ids, scratch, prefetchedFloats: 0, bodyInserts: false, prepare: { _ in }
      ) { rows, i, _, slot in
        if slot >= 0 {
          rows.header(slot).pointee.flags.insert(.referenced)
        } else {
          misses.append(i)
        }
      }
    }
    guard !misses.isEmpty, !cache.counts.allAreCached else { return true }
    let outcome = try fetch(ids, scratch, floatBytes: 4 * storage.layout.dimension) {
      rows, _, key, slot, stored in
      guard slot < 0, let stored else { return true }
      return insert(key, stored, &rows) >= 0
    }
    return outcome == .done
  }
}

/// The batches of a table that are to be prefetched.
final class PrefetchQueue: Sendable {
  private struct State {
    var waiting: [IDColumn] = []
    /// Whether a thread is at work on them.
    var isRunning = false
  }
  private let state = Mutex(State())

  /// As many batches may wait.
  private static let most = 4

  /// Adds a batch; true where the caller is to start a thread.
  func add(_ ids: IDColumn) -> Bool {
    state.withLock { state in
      if state.waiting.count == Self.most { state.waiting.removeFirst() }
      state.waiting.append(ids)
      defer { state.isRunning = true }
      return !state.isRunning
    }
  }

  /// The next batch; nil where there is none, and the thread that asked ends.
  func next() -> IDColumn? {
    state.withLock { state in
      guard !state.waiting.isEmpty else {
        state.isRunning = false
        return nil
      }
      return state.waiting.removeFirst()
    }
  }

  /// Gives up; no thread could be started.
  func removeAll() { state.withLock { $0 = State() } }

  /// Whether nothing waits or is under way.
  var isIdle: Bool { state.withLock { !$0.isRunning } }
}
