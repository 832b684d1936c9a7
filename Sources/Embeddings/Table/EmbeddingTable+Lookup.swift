import CKernels
import LMDB
public import StorageBase
import Synchronization

extension EmbeddingTable {
  /// Copies the vectors of `ids` into `vectors`, row-major `[n, dimension]` in batch order.
  ///
  /// The state read is the live one, uncommitted training included. For one whole commit see
  /// ``EmbeddingDatabase/read(_:)``.
  public func lookup(
    _ ids: borrowing IDBatch, into vectors: inout MutableSpan<Float>, mode: LookupMode
  ) throws(EmbeddingError) {
    try check(ids, floats: vectors.count, of: "vectors")
    if mode == .training { try database.checkWritable("look up for training") }
    // Unsafe: rows are copied to and from raw memory of the cache and the map.
    let output = vectors.withUnsafeMutableBufferPointer { $0.baseAddress }
    guard let output else { return }
    try ids.withUnsafeIDs { (ids) throws(EmbeddingError) in
      if mode == .serving, try serveWithoutCache(ids, into: output) { return }
      try batch(ids) { (scratch) throws(EmbeddingError) in
        try lookup(ids, scratch, into: output, mode: mode)
      }
    }
  }

  func lookup(
    _ ids: UnsafeIDs, _ scratch: BatchScratch, into output: UnsafeMutablePointer<Float>,
    mode: LookupMode
  ) throws(EmbeddingError) -> BatchOutcome {
    // Where ids have to earn their rows, a lookup makes none.
    let isTraining = mode == .training
    let mode = core.admission == nil ? mode : .serving
    let sharing = shared == nil ? nil : scratch.sharing
    let departures = cache.pins.departureCount
    guard copyCached(ids, scratch, into: output, mode: mode, sharing) else { return .needsCommit }
    if !scratch.misses.isEmpty {
      if mode == .serving {
        let count = scratch.misses.count
        let start = SuspendingClock.now
        try serveVectors(ids, scratch, into: output, isTraining: isTraining)
        if !isTraining, ids.count >= CacheAdvice.leastBatch {
          core.cacheAdvice.note(
            hits: ids.count - count, misses: count, missTime: SuspendingClock.now - start)
        }
      } else {
        let outcome = try fetchVectors(ids, scratch, into: output)
        guard outcome == .done else { return outcome }
      }
    }
    createAbsent(scratch)
    if mode == .training { scratch.rememberSlots(departures: departures) }
    return try readShared(scratch, into: output)
  }

  /// Copies the vectors of the ids that are cached, and notes the others as misses; false where a new
  /// row finds no room.
  private func copyCached(
    _ ids: UnsafeIDs, _ scratch: BatchScratch, into output: UnsafeMutablePointer<Float>,
    mode: LookupMode, _ sharing: MissList?
  ) -> Bool {
    let dimension = storage.layout.dimension
    var hasRoom = true
    let (misses, slots, counts) = (scratch.misses, scratch.slots, cache.counts)
    forEachShard(scratch) { rows, range in
      let next = indexToPrefetch(after: rows.number, scratch)
      PendingCopies.with(dimension: dimension) { copies in
        rows.forEachSlot(
          in: range, of: ids, scratch, prefetchedFloats: dimension, next: next,
          bodyInserts: mode == .training,
          prepare: { prefetch(output + $0 &* dimension, floatCount: dimension) }
        ) { rows, i, key, slot in
          let target = output + i &* dimension
          var slot = slot
          if slot < 0 {
            guard counts.allAreCached else {
              misses.append(i)
              return
            }
            guard mode == .training else {
              self.readAbsent(i, key.key, target, sharing)
              return
            }
            // To make room, a row may be evicted that is yet to be copied.
            copies.finish()
            slot = self.insertAbsent(key, &rows, scratch)
            guard slot >= 0 else {
              hasRoom = false
              return
            }
          }
          let flags = self.use(slot, i, &rows, slots, scratch, mode: mode)
          if flags.contains(.deleted), let sharing {
            sharing.append(i)
            return
          }
          copies.add(rows.floats(slot), to: target)
        }
      }
    }
    return hasRoom
  }

  /// The index that a batch looks into after that of shard `number`, and the end of its part there;
  /// nil where it has none, or another thread has the shard.
  @inline(__always)
  private func indexToPrefetch(
    after number: Int, _ scratch: BatchScratch
  ) -> (index: RowIndex, end: Int)? {
    guard number + 1 < cache.shards.count else { return nil }
    let (start, end) = (scratch.starts[number + 1], scratch.starts[number + 2])
    guard start < end else { return nil }
    return cache.shards[number + 1].indexToPrefetch.map { ($0, end) }
  }

  /// Reads an id without a row: its initial vector, or later, with the others, a shared row.
  @inline(__always)
  func readAbsent(
    _ position: Int, _ key: UInt64, _ target: UnsafeMutablePointer<Float>, _ sharing: MissList?
  ) {
    if let sharing { sharing.append(position) } else { initialVector(target, key: key) }
  }

  /// Looks up the misses of a batch for training: they become cached rows.
  private func fetchVectors(
    _ ids: UnsafeIDs, _ scratch: BatchScratch, into output: UnsafeMutablePointer<Float>
  ) throws(EmbeddingError) -> BatchOutcome {
    let dimension = storage.layout.dimension
    return try fetch(ids, scratch, floatBytes: 4 * dimension) { rows, i, key, slot, stored in
      let target = output + i * dimension
      var slot = slot
      if slot < 0 {
        slot =
          stored.map { self.insert(key, $0, &rows) } ?? self.insertAbsent(key, &rows, scratch)
      }
      if slot >= 0 {
        self.copy(slot, i, &rows, scratch, to: target, mode: .training)
      } else if let stored {
        scratch.uncached += 1
        scratch.slots[i] = .none
        stored.block.copyVector(stored.index, to: target)
      } else {
        return false
      }
      return true
    }
  }

  /// Looks up the misses of a batch for serving: a row that is not to enter the cache is copied
  /// without a lock, as it stood when it was not found there.
  ///
  /// - Parameter isTraining: whether the rows will be trained next, and should all enter.
  private func serveVectors(
    _ ids: UnsafeIDs, _ scratch: BatchScratch, into output: UnsafeMutablePointer<Float>,
    isTraining: Bool
  ) throws(EmbeddingError) {
    let dimension = storage.layout.dimension
    let doorkeeper = isTraining || cache.canGrow ? nil : core.doorkeeper()
    let sharing = shared == nil ? nil : scratch.sharing
    let hashes = scratch.hashes
    _ = try forEachStored(ids, scratch, prefetching: 4 * dimension) { i, stored in
      let target = output + i * dimension
      if let stored {
        stored.block.copyVector(stored.index, to: target)
        guard doorkeeper?.admits(hashes[i]) ?? true else { return true }
      }
      let key = scratch.key(i, of: ids)
      cache.shards[cache.shardNumber(hashes[i])].withRows { rows in
        // A duplicate, or another thread, may have brought it in meanwhile.
        var slot = rows.find(key)
        if slot < 0, let stored {
          slot = insert(key, stored, &rows)
          if slot < 0 { scratch.uncached += 1 }
        }
        if slot >= 0, sharing == nil || !rows.header(slot).pointee.flags.contains(.deleted) {
          copy(slot, i, &rows, scratch, to: target, mode: .serving)
        } else if slot >= 0 || stored == nil {
          readAbsent(i, key.key, target, sharing)
        }
      }
      return true
    }
  }

  /// Asks for the memory that a vector will be written to: shards answer in an order of their own,
  /// which the processor cannot foresee.
  @inline(__always)
  private func prefetch(_ target: UnsafeMutablePointer<Float>, floatCount: Int) {
    let start = UnsafeRawPointer(target)
    var offset = 0
    while offset < floatCount &* 4 {
      ck_prefetch_for_writing(start + offset)
      offset &+= 64
    }
  }

  /// Notes the use of a cached row, and returns its flags. One that is deleted holds its initial
  /// vector, and is to become a row if the lookup is for training.
  @discardableResult
  @inline(__always)
  private func use(
    _ slot: Int, _ position: Int, _ rows: inout RowShard,
    _ slots: UnsafeMutablePointer<FoundSlot>, _ scratch: BatchScratch, mode: LookupMode
  ) -> RowHeader.Flags {
    let flags = rows.header(slot).pointee.flags
    if mode == .training {
      let isAbsent = flags.contains(.deleted)
      slots[position] = FoundSlot(slot, isAbsent: isAbsent)
      if isAbsent { scratch.hasAbsent = true }
    }
    if !flags.contains(.referenced) { rows.header(slot).pointee.flags.insert(.referenced) }
    return flags
  }

  /// Copies the vector of a cached row that is used.
  private func copy(
    _ slot: Int, _ position: Int, _ rows: inout RowShard, _ scratch: BatchScratch,
    to target: UnsafeMutablePointer<Float>, mode: LookupMode
  ) {
    use(slot, position, &rows, scratch.slots, scratch, mode: mode)
    target.update(from: rows.floats(slot), count: storage.layout.dimension)
  }

  /// Reads frequency, last step and presence of `ids` into `metadata`, in batch order.
  public func metadata(
    _ ids: borrowing IDBatch, into metadata: inout MutableSpan<RowMetadata>
  ) throws(EmbeddingError) {
    try check(ids)
    try checkCount(metadata.count, of: "metadata", is: ids.count)
    let output = metadata.withUnsafeMutableBufferPointer { $0.baseAddress }
    guard let output else { return }
    let isReadOnly = database.isReadOnly
    try ids.withUnsafeIDs { (ids) throws(EmbeddingError) in
      try batch(ids) { (scratch) throws(EmbeddingError) in
        for i in 0..<ids.count { scratch.misses.append(i) }
        return try fetch(ids, scratch, floatBytes: 0) { rows, i, _, slot, stored in
          if slot >= 0 && !isReadOnly {
            let counts = rows.counts(slot)
            let flags = rows.header(slot).pointee.flags
            output[i] =
              flags.contains(.deleted)
              ? RowMetadata()
              : RowMetadata(
                frequency: counts.frequency, lastStep: counts.lastStep,
                isPresent: !flags.contains(.probation),
                isOnProbation: flags.contains(.probation))
          } else if let stored {
            output[i] = RowMetadata(
              frequency: stored.block.frequency(stored.index),
              lastStep: stored.block.lastStep(stored.index), isPresent: true)
          } else {
            output[i] = RowMetadata()
          }
          return true
        }
      }
    }
  }
}
