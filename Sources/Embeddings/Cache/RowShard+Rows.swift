import CKernels
import StorageBase

/// Rows found, coming and going.
extension RowShard {
  /// Asks for a row's header and vector to be brought close.
  @inline(__always)
  func prefetchRow(_ slot: Int, floatCount: Int) {
    ck_prefetch(header(slot))
    if layout.hasBytes { ck_prefetch(storedID(slot).place) }
    let start = UnsafeRawPointer(floats(slot))
    var offset = 0
    while offset < floatCount &* 4 {
      ck_prefetch(start + offset)
      offset &+= 64
    }
  }

  /// Whether the row in `slot` is that of `key`.
  @inline(__always)
  func matches(_ slot: Int, _ key: RowKey) -> Bool {
    guard header(slot).pointee.hash == key.hash else { return false }
    return !layout.hasBytes || isEqual(idBytes(slot), key.bytes)
  }

  /// The slot of `key`, or -1.
  @inline(__always)
  func find(_ key: RowKey) -> Int {
    index.find(key.hash) { matches($0, key) }
  }

  /// The slot of the row with this key and committed row number, or -1.
  func find(key: UInt64, row: UInt64) -> Int {
    let hash = RowKey.hash(key)
    return index.find(hash) { header($0).pointee.hash == hash && header($0).pointee.row == row }
  }

  /// Last step and frequency of a row.
  @inline(__always)
  func counts(_ slot: Int) -> RowCounts {
    let header = header(slot)
    return header.pointee.flags.contains(.wide)
      ? wide[slot].unsafelyUnwrapped : header.pointee.narrowCounts
  }

  @inline(__always)
  mutating func setCounts(_ slot: Int, _ counts: RowCounts) {
    let header = header(slot)
    if header.pointee.setNarrow(counts) {
      if header.pointee.flags.contains(.wide) {
        header.pointee.flags.remove(.wide)
        wide[slot] = nil
      }
    } else {
      header.pointee.flags.insert(.wide)
      wide[slot] = counts
    }
  }

  /// Makes room for a row and enters it, with floats that the caller fills in; -1 where every row
  /// is held and the budget is spent. The key must not be there yet.
  mutating func insert(_ key: RowKey, row: UInt64, _ counts: RowCounts) -> Int {
    var slot = takeFreeSlot()
    if slot < 0, addSlab() || isMostlyKept && addOverflowSlab() { slot = takeFreeSlot() }
    if slot < 0 {
      guard evictOne() || addOverflowSlab() else { return -1 }
      slot = takeFreeSlot()
    }
    if layout.hasBytes {
      while !storeID(key.bytes, slot: slot) {
        guard evictOne() else {
          putFree(slot)
          return -1
        }
      }
    }
    header(slot).pointee = RowHeader(hash: key.hash, row: row)
    header(slot).pointee.flags = [.occupied, .referenced]
    setCounts(slot, counts)
    index.enter(slot, hash: key.hash)
    occupiedCount += 1
    if row != RowHeader.noRow { context.counts.addCached(1) }
    return slot
  }

  /// Forgets a row; false where a batch relies on it.
  @discardableResult
  mutating func remove(_ slot: Int) -> Bool {
    guard context.pins.letsGo() else { return false }
    let header = header(slot).pointee
    index.leave(slot, hash: header.hash)
    if layout.hasBytes { releaseID(slot) }
    if header.flags.contains(.wide) { wide[slot] = nil }
    if header.row != RowHeader.noRow { context.counts.addCached(-1) }
    if header.flags.contains(.probation) { leaveProbation(header.flags) }
    putFree(slot)
    occupiedCount -= 1
    return true
  }

  /// Gives a row the number that it has from now on.
  mutating func renumber(_ slot: Int, to row: UInt64) {
    let old = header(slot).pointee.row
    header(slot).pointee.row = row
    let change = (row == RowHeader.noRow ? 0 : 1) - (old == RowHeader.noRow ? 0 : 1)
    if change != 0 { context.counts.addCached(change) }
  }

  /// Whether few rows may be evicted: those that are used often would have to go, and to find others
  /// the clock hand would pass many rows for each.
  private var isMostlyKept: Bool { (heldCount + probationCount) * 4 > occupiedCount * 3 }

  /// Evicts the first row that nothing holds and that was not used since the clock hand last passed
  /// it: the usual approximation of least recently used, which costs a lookup one bit instead of a
  /// list.
  mutating func evictOne() -> Bool {
    guard occupiedCount > heldCount + probationCount,
      let victim = unusedRow(having: .occupied, without: .kept, from: hand)
    else { return false }
    hand = victim + 1
    return remove(victim)
  }

  /// The first row with all of some flags and none of others that was not used since the clock hand,
  /// which stands at `hand`, last passed it.
  func unusedRow(
    having required: RowHeader.Flags, without excluded: RowHeader.Flags, from hand: Int
  ) -> Int? {
    let slotCount = slabCount << layout.rowsPerSlabShift
    var hand = hand
    // Two rounds: the first may clear every mark, the second then finds a row.
    for _ in 0..<2 * slotCount {
      if hand >= slotCount { hand = 0 }
      let slot = hand
      hand += 1
      let flags = header(slot).pointee.flags
      guard flags.contains(required), flags.isDisjoint(with: excluded) else { continue }
      if !flags.contains(.referenced) { return slot }
      header(slot).pointee.flags.remove(.referenced)
    }
    return nil
  }
}
