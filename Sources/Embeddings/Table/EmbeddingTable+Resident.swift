import LMDB
import StorageBase
import Synchronization

/// How a batch ended: a row may find no room in the cache because all that is there waits for a
/// commit. The batch then changes nothing; it commits and starts over.
enum BatchOutcome {
  case done
  case needsCommit
}

extension EmbeddingTable {
  /// What happens to ids that have no row.
  enum Absent {
    /// They become rows.
    case create
    /// They are left alone; their slot is -1.
    case skip
  }

  /// Brings the rows of all ids of a grouped batch into the cache and notes them as dirty, so that
  /// they stay there; their slots then stand in `scratch.slots`. Nothing of a row is changed, and no
  /// row is made: ids without one get a slot that is still `.deleted`, until `createAbsent`.
  func makeResident(
    _ ids: UnsafeIDs, _ scratch: BatchScratch, absent: Absent
  ) throws(EmbeddingError) -> BatchOutcome {
    for (number, shard) in cache.shards.enumerated() {
      let range = scratch.starts[number]..<scratch.starts[number + 1]
      if range.isEmpty { continue }
      shard.withRows { rows in
        rows.forEachSlot(in: range, of: ids, scratch, prefetchedFloats: 0) { rows, i, key, slot in
          if slot < 0 {
            scratch.misses.append(UInt32(i))
          } else {
            scratch.slots[i] = self.keep(slot, i, &rows, scratch, absent: absent)
          }
        }
      }
    }
    guard !scratch.misses.isEmpty else { return .done }
    return try fetch(ids, scratch, floatBytes: 4 * storage.layout.dimension) {
      rows, i, key, slot, stored in
      var slot = slot
      if slot < 0 {
        if stored == nil && absent == .skip {
          scratch.slots[i] = -1
          return true
        }
        slot = stored.map { self.insert(key, $0, &rows) } ?? self.insertAbsent(key, &rows)
        if slot < 0 { return false }
      }
      scratch.slots[i] = self.keep(slot, i, &rows, scratch, absent: absent)
      return true
    }
  }

  /// Keeps a cached row for the batch; a deleted one is to be made anew, or passed over as -1.
  private func keep(
    _ slot: Int, _ position: Int, _ rows: inout RowShard, _ scratch: BatchScratch, absent: Absent
  ) -> Int32 {
    if rows.header(slot).pointee.flags.contains(.deleted) {
      guard absent == .create else { return -1 }
      scratch.absent.append(UInt32(position))
    }
    rows.header(slot).pointee.flags.insert(.referenced)
    rows.markDirty(slot)
    return Int32(slot)
  }

  /// Makes rows of the ids that had none: the point of no return of a batch, which cannot fail.
  func createAbsent(_ scratch: BatchScratch) {
    for position in scratch.absent {
      let i = Int(position)
      cache.shards[cache.shardNumber(scratch.hashes[i])].withRows { rows in
        let slot = Int(scratch.slots[i])
        // A duplicate, or another thread, may have been here.
        if rows.header(slot).pointee.flags.contains(.deleted) { revive(slot, &rows, scratch) }
      }
    }
  }

  /// Makes a deleted row a new one; its number in the last commit stays with it.
  private func revive(_ slot: Int, _ rows: inout RowShard, _ scratch: BatchScratch) {
    let header = rows.header(slot)
    header.pointee.flags.remove(.deleted)
    header.pointee.frequency = 0
    header.pointee.lastStep = 0
    initialize(rows.floats(slot), key: header.pointee.key, scratch)
    core.uncommittedRows.add(1, ordering: .relaxed)
  }

  /// Enters a row of the last commit in the cache; -1 if there is no room.
  func insert(_ key: RowKey, _ stored: StoredRow, _ rows: inout RowShard) -> Int {
    let slot = rows.insert(
      key, row: stored.row, frequency: stored.block.frequency(stored.index),
      lastStep: stored.block.lastStep(stored.index))
    if slot >= 0 { stored.block.copyFloats(stored.index, to: rows.floats(slot)) }
    return slot
  }

  /// Takes a slot for an id that has no row: `.deleted` before it ever was one, so that everybody
  /// passes it over, and a commit takes it away, until it is created. -1 if there is no room.
  func insertAbsent(_ key: RowKey, _ rows: inout RowShard) -> Int {
    let slot = rows.insert(key, row: RowHeader.noRow, frequency: 0, lastStep: 0)
    if slot >= 0 {
      rows.header(slot).pointee.flags.insert(.deleted)
      rows.markDirty(slot)
    }
    return slot
  }

  /// Writes a new row: initial vector and slots.
  private func initialize(
    _ floats: UnsafeMutablePointer<Float>, key: UInt64, _ scratch: BatchScratch
  ) {
    initialVector(floats, key: key)
    scratch.initialSlots.withUnsafeBufferPointer { slots in
      if let start = slots.baseAddress {
        (floats + storage.layout.dimension).update(from: start, count: slots.count)
      }
    }
  }

  /// Writes an id's initial vector.
  func initialVector(_ floats: UnsafeMutablePointer<Float>, key: UInt64) {
    initializer.fill(
      UnsafeMutableBufferPointer(start: floats, count: storage.layout.dimension), seed: seed,
      idBits: key)
  }

  /// Reads the batch's misses from the last commit, and calls `body` for each under its shard's lock.
  ///
  /// - Parameter body: gets the shard, the batch position, the key, the row's slot if it is in the
  ///   cache by now or else -1, and the stored row or nil. Returns false to give up for want of room,
  ///   which a row in the cache never does.
  func fetch(
    _ ids: UnsafeIDs, _ scratch: BatchScratch, floatBytes: Int,
    _ body: (
      _ rows: inout RowShard, _ position: Int, _ key: RowKey, _ slot: Int, _ stored: StoredRow?
    ) -> Bool
  ) throws(EmbeddingError) -> BatchOutcome {
    let isDone = try forEachStored(ids, scratch, prefetching: floatBytes) { i, stored in
      // A duplicate, or another thread, may have brought it in meanwhile.
      let key = scratch.key(i, of: ids)
      return cache.shards[cache.shardNumber(scratch.hashes[i])].withRows { rows in
        body(&rows, i, key, rows.find(key), stored)
      }
    }
    return isDone ? .done : .needsCommit
  }
}

extension RowShard {
  /// Finds the rows of a part of a batch, with the memory of those ahead on its way; calls `body`
  /// with each batch position, key, and slot or -1, in batch order.
  @inline(__always)
  mutating func forEachSlot(
    in range: Range<Int>, of ids: UnsafeIDs, _ scratch: BatchScratch, prefetchedFloats: Int,
    _ body: (_ rows: inout RowShard, _ position: Int, _ key: RowKey, _ slot: Int) -> Void
  ) {
    // So many rows at a time that their lines stay in the first-level cache.
    let most = 32
    let order = scratch.order
    let hashes = scratch.hashes
    withUnsafeTemporaryAllocation(of: Int.self, capacity: most) { candidates in
      var start = range.lowerBound
      while start < range.upperBound {
        let end = min(start + most, range.upperBound)
        for k in start..<end { prefetchIndex(hashes[Int(order[k])]) }
        for k in start..<end {
          let slot = candidate(hashes[Int(order[k])])
          candidates[k - start] = slot
          if slot >= 0 { prefetchRow(slot, floatCount: prefetchedFloats) }
        }
        for k in start..<end {
          let i = Int(order[k])
          let key = scratch.key(i, of: ids)
          var slot = candidates[k - start]
          if slot >= 0 && !matches(slot, key) { slot = find(key, hash: hashes[i]) }
          body(&self, i, key, slot)
        }
        start = end
      }
    }
  }
}
