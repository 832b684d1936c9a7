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
    /// They are left alone; their slot is -1. Rows on probation have one.
    case skip
  }

  /// Brings the rows of all ids of a grouped batch into the cache and notes them as dirty, so that
  /// they stay there; what was found then stands in `scratch.slots`. Nothing of a row is changed, and
  /// no row is made: ids without one get a slot that is still `.deleted`, until `createAbsent`.
  func makeResident(
    _ ids: UnsafeIDs, _ scratch: BatchScratch, absent: Absent
  ) throws(EmbeddingError) -> BatchOutcome {
    var hasRoom = true
    let (misses, slots, counts) = (scratch.misses, scratch.slots, cache.counts)
    forEachShard(scratch) { rows, range in
      rows.forEachSlot(
        in: range, of: ids, scratch, prefetchedFloats: 0,
        likely: scratch.hasLikelySlots ? UnsafePointer(slots) : nil, bodyInserts: true,
        prepare: { _ in }
      ) { rows, i, key, slot in
        var slot = slot
        if slot < 0 {
          guard counts.allAreCached else {
            misses.append(i)
            return
          }
          guard absent == .create else {
            slots[i] = .none
            return
          }
          slot = self.insertAbsent(key, &rows, scratch)
          guard slot >= 0 else {
            hasRoom = false
            return
          }
        }
        self.keep(slot, i, &rows, slots, scratch, absent: absent)
      }
    }
    guard hasRoom else { return .needsCommit }
    guard !scratch.misses.isEmpty else { return .done }
    return try fetch(ids, scratch, floatBytes: 4 * storage.layout.dimension) {
      rows, i, key, slot, stored in
      var slot = slot
      if slot < 0 {
        if stored == nil && absent == .skip {
          scratch.slots[i] = .none
          return true
        }
        slot =
          stored.map { self.insert(key, $0, &rows) } ?? self.insertAbsent(key, &rows, scratch)
        if slot < 0 { return false }
      }
      self.keep(slot, i, &rows, slots, scratch, absent: absent)
      return true
    }
  }

  /// Keeps a cached row for the batch; a deleted one is to be made anew, or passed over.
  @inline(__always)
  private func keep(
    _ slot: Int, _ position: Int, _ rows: inout RowShard,
    _ slots: UnsafeMutablePointer<FoundSlot>, _ scratch: BatchScratch, absent: Absent
  ) {
    let flags = rows.header(slot).pointee.flags
    let isAbsent = !flags.isDisjoint(with: .unwritten)
    if !flags.contains(.referenced) { rows.header(slot).pointee.flags.insert(.referenced) }
    if isAbsent {
      guard absent == .create else {
        // A row on probation is trained, but no commit writes it.
        slots[position] = flags.contains(.deleted) ? .none : FoundSlot(slot, isAbsent: false)
        return
      }
      scratch.hasAbsent = true
    }
    slots[position] = FoundSlot(slot, isAbsent: isAbsent)
    rows.markDirty(slot)
  }

  /// Makes rows of the ids that had none: the point of no return of a batch, which cannot fail.
  func createAbsent(_ scratch: BatchScratch) {
    guard scratch.hasAbsent else { return }
    var created = 0
    forEachShardOnceFree(scratch) { rows, range in
      for k in range {
        let found = scratch.slots[Int(scratch.order[k])]
        // A duplicate, or another thread, may have been here.
        guard found.isAbsent else { continue }
        let flags = rows.header(found.slot).pointee.flags
        guard !flags.isDisjoint(with: .unwritten) else { continue }
        if flags.contains(.probation) {
          rows.promote(found.slot)
        } else {
          rows.markDirty(found.slot)
          rows.header(found.slot).pointee.flags.remove(.deleted)
        }
        created += 1
      }
    }
    core.uncommittedRows.add(created, ordering: .relaxed)
  }

  /// Enters a row of the last commit in the cache; -1 if there is no room.
  func insert(_ key: RowKey, _ stored: StoredRow, _ rows: inout RowShard) -> Int {
    let slot = rows.insert(
      key, row: stored.row,
      RowCounts(
        lastStep: stored.block.lastStep(stored.index),
        frequency: stored.block.frequency(stored.index)))
    if slot >= 0 { stored.block.copyFloats(stored.index, to: rows.floats(slot)) }
    return slot
  }

  /// Takes a slot for an id that has no row: `.deleted` before it ever was one, so that everybody
  /// passes it over, and a commit takes it away, until it is created. -1 if there is no room.
  func insertAbsent(_ key: RowKey, _ rows: inout RowShard, _ scratch: BatchScratch) -> Int {
    let slot = rows.insert(key, row: RowHeader.noRow, RowCounts())
    if slot >= 0 {
      rows.header(slot).pointee.flags.insert(.deleted)
      rows.markDirty(slot)
      initialize(rows.floats(slot), key: key.key, scratch)
    }
    return slot
  }

  /// Writes what a new row holds, and one that is deleted: initial vector and slots.
  func initialize(
    _ floats: UnsafeMutablePointer<Float>, key: UInt64, _ scratch: BatchScratch
  ) {
    initialVector(floats, key: key)
    let slots = scratch.initialSlots
    if let start = slots.baseAddress {
      (floats + storage.layout.dimension).update(from: start, count: slots.count)
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
