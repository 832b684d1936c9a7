import StorageBase

/// Rows below the cutoff of their table: in memory only, in a share of it that is their own.
extension RowShard {
  @inline(__always)
  func isOnProbation(_ slot: Int) -> Bool { header(slot).pointee.flags.contains(.probation) }

  /// Takes a slot for an id that goes on probation: `.deleted` until the batch comes to it. -1 if
  /// there is no room.
  mutating func insertOnProbation(_ key: RowKey) -> Int {
    if probationCount >= context.mostOnProbation, !forgetOne() { return -1 }
    var slot = insert(key, row: RowHeader.noRow, RowCounts())
    if slot < 0, forgetOne() { slot = insert(key, row: RowHeader.noRow, RowCounts()) }
    guard slot >= 0 else { return -1 }
    header(slot).pointee.flags.insert(.deleted)
    putOnProbation(slot)
    return slot
  }

  /// Puts an id on probation whose slot is `.deleted`, be it that a commit has yet to delete its row.
  mutating func putOnProbation(_ slot: Int) {
    header(slot).pointee.flags.insert(.probation)
    probationCount += 1
  }

  /// Makes a row on probation one that the next commit writes.
  mutating func promote(_ slot: Int) {
    markDirty(slot)
    header(slot).pointee.flags.subtract(.unwritten)
    probationCount -= 1
    life.promoted += 1
  }

  /// Forgets the row on probation that was not used for the longest time, as `evictOne` finds it.
  private mutating func forgetOne() -> Bool {
    guard probationCount > 0,
      let victim = unusedRow(having: [.occupied, .probation], without: .held, from: probationHand)
    else { return false }
    probationHand = victim + 1
    return remove(victim)
  }

  /// Counts a row on probation out that leaves the cache.
  mutating func leaveProbation(_ flags: RowHeader.Flags) {
    probationCount -= 1
    // One that is deleted has not been trained yet, or was taken away.
    if !flags.contains(.deleted) { life.forgotten += 1 }
  }

  /// Counts all rows on probation out.
  mutating func forgetProbation() {
    guard probationCount > 0 else { return }
    for slot in 0..<slabCount << layout.rowsPerSlabShift {
      let flags = header(slot).pointee.flags
      if flags.contains([.occupied, .probation]) { leaveProbation(flags) }
    }
  }
}
