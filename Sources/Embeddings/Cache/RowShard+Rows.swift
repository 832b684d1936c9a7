import StorageBase

/// Rows coming and going: insertion, eviction, dirtiness.
extension RowShard {
  /// Makes room for a row and enters it, with floats that the caller fills in; -1 where every row
  /// is dirty and the budget is spent. The key must not be there yet.
  mutating func insert(_ key: RowKey, row: UInt64, frequency: UInt64, lastStep: Int64) -> Int {
    var slot = takeFreeSlot()
    if slot < 0, addSlab() { slot = takeFreeSlot() }
    if slot < 0 {
      guard evictOne() else { return -1 }
      slot = takeFreeSlot()
    }
    if layout.hasBytes {
      while !storeID(key.bytes, slot: slot) {
        guard evictOne() else {
          free(slot)
          return -1
        }
      }
    }
    header(slot).pointee = RowHeader(
      key: key.key, lastStep: lastStep, frequency: frequency, row: row)
    header(slot).pointee.flags = [.occupied, .referenced]
    enter(slot, hash: RowKey.hash(key.key))
    occupiedCount += 1
    return slot
  }

  /// Forgets a row.
  mutating func remove(_ slot: Int) {
    leave(slot)
    if layout.hasBytes { releaseID(slot) }
    free(slot)
    occupiedCount -= 1
  }

  /// Evicts the first clean row that was not used since the clock hand last passed it: the usual
  /// approximation of least recently used, which costs a lookup one bit instead of a list.
  mutating func evictOne() -> Bool {
    guard occupiedCount > dirtySlots.count else { return false }
    let slotCount = slabCount << layout.rowsPerSlabShift
    // Two rounds: the first may clear every mark, the second then finds a row.
    for _ in 0..<2 * slotCount {
      if hand >= slotCount { hand = 0 }
      let slot = hand
      hand += 1
      guard slabs[slot >> layout.rowsPerSlabShift] != nil else { continue }
      let flags = header(slot).pointee.flags
      guard flags.contains(.occupied), !flags.contains(.dirty) else { continue }
      if flags.contains(.referenced) {
        header(slot).pointee.flags.remove(.referenced)
        continue
      }
      remove(slot)
      return true
    }
    return false
  }

  /// Notes that a row differs from the last commit.
  mutating func markDirty(_ slot: Int) {
    guard !header(slot).pointee.flags.contains(.dirty) else { return }
    header(slot).pointee.flags.insert(.dirty)
    dirtySlots.append(UInt32(slot))
    let row = header(slot).pointee.row
    let size =
      row == RowHeader.noRow
      ? layout.rowBytes : changedBlocks.mark(row: row) ? layout.blockBytes : 0
    commitBytes += size
    budget.addDirty(layout.rowBytes, commitBytes: size)
  }

  /// Notes that a commit holds everything: dirty rows are clean now, deleted ones go.
  mutating func markCommitted() {
    for slot in dirtySlots {
      let slot = Int(slot)
      if header(slot).pointee.flags.contains(.deleted) {
        remove(slot)
      } else {
        header(slot).pointee.flags.remove(.dirty)
      }
    }
    budget.addDirty(-dirtySlots.count * layout.rowBytes, commitBytes: -commitBytes)
    commitBytes = 0
    dirtySlots.removeAll(keepingCapacity: true)
  }
}
