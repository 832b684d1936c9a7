import StorageBase

/// Rows that a commit has to write.
///
/// A changed row is marked *dirty*. Where a commit is asked for, the dirty rows are *fixed*: their
/// state at that moment is what the commit writes, though training goes on at once. The commit
/// copies them one after the other (`stageFixed`); a row that is about to change before its turn is
/// copied just then (`markDirty`). Once copied, a row is *pinned*: it stays in the cache until the
/// commit has ended, since the last commit knows only an older state of it.
extension RowShard {
  /// Notes that a row is about to differ from the last commit. To be called before it changes.
  @inline(__always)
  mutating func markDirty(_ slot: Int) {
    let flags = header(slot).pointee.flags
    if !flags.contains(dirtyFlag) { markNewlyDirty(slot, flags) }
  }

  private mutating func markNewlyDirty(_ slot: Int, _ flags: RowHeader.Flags) {
    if flags.contains(fixedFlag) { stage(slot) }
    if flags.isDisjoint(with: .held) { heldCount += 1 }
    header(slot).pointee.flags.insert(dirtyFlag)
    dirtySlots.append(UInt32(slot))
    let row = header(slot).pointee.row
    var size = layout.rowFloats * 4 + MemoryLayout<StagedRow>.stride
    if row == RowHeader.noRow {
      size += layout.rowBytes
    } else if context.changedBlocks.mark(row: row) {
      size += layout.blockBytes
    }
    if row == RowHeader.noRow { unreported.newRows += 1 }
    unreported.rows += 1
    unreported.commitBytes += size
  }

  /// Counts the rows that became dirty in the budget: for all rows that a batch has here at once.
  mutating func report() {
    context.budget.addDirty(
      unreported.rows * layout.rowBytes, commitBytes: unreported.commitBytes,
      newRows: unreported.newRows)
    commitBytes += unreported.commitBytes
    newRows += unreported.newRows
    unreported = (0, 0, 0)
  }

  /// Fixes the dirty rows for a commit. None may be fixed already.
  mutating func fix() {
    precondition(fixedSlots.isEmpty && staged.rows.isEmpty, "rows are fixed for a commit already")
    swap(&fixedSlots, &dirtySlots)
    swap(&fixedFlag, &dirtyFlag)
    context.budget.addDirty(
      -fixedSlots.count * layout.rowBytes, commitBytes: -commitBytes, newRows: -newRows)
    commitBytes = 0
    newRows = 0
  }

  /// Takes back what `fix` did, before a commit has taken the copies: the rows are dirty again.
  mutating func unfix() {
    let slots = fixedSlots
    fixedSlots.removeAll(keepingCapacity: true)
    staged.removeAll()
    for slot in slots {
      let slot = Int(slot)
      // Those that were copied have changed since, and are dirty.
      guard header(slot).pointee.flags.contains(fixedFlag) else { continue }
      header(slot).pointee.flags.remove(fixedFlag)
      header(slot).pointee.flags.insert(.pinned)  // So that it counts as held throughout.
      markDirty(slot)
      header(slot).pointee.flags.remove(.pinned)
    }
  }

  /// Copies up to `count` more of the fixed rows; false once all are copied.
  mutating func stageFixed(atMost count: Int) -> Bool {
    let end = fixedSlots.count
    for k in max(0, end - count)..<end {
      let slot = Int(fixedSlots[k])
      guard header(slot).pointee.flags.contains(fixedFlag) else { continue }
      stage(slot)
      header(slot).pointee.flags.insert(.pinned)
    }
    fixedSlots.removeLast(min(count, end))
    return !fixedSlots.isEmpty
  }

  /// Copies a fixed row as it is.
  private mutating func stage(_ slot: Int) {
    let header = header(slot)
    header.pointee.flags.remove(fixedFlag)
    let isDeleted = header.pointee.flags.contains(.deleted)
    var copy: UnsafeMutablePointer<Float>?
    if !isDeleted {
      let floats = staged.addFloats()
      floats.update(from: self.floats(slot), count: layout.rowFloats)
      copy = floats
    }
    staged.append(
      StagedRow(
        shard: UInt16(number), isDeleted: isDeleted, slot: UInt32(slot), hash: header.pointee.hash,
        row: header.pointee.row, counts: counts(slot), floats: copy, idBytes: idBytes(slot)))
  }

  /// Hands the copies over to the commit, and keeps `spare` for the next.
  ///
  /// The commit before may have given rows numbers since they were copied.
  mutating func takeStaged(spare: StagedRows) -> StagedRows {
    let taken = staged
    taken.setRowNumbers { header(Int($0)).pointee.row }
    staged = spare
    return taken
  }

  /// Takes over, for one of the copied rows, that the commit is durable.
  ///
  /// - Parameter row: the number that a new row got, or else the row's own.
  mutating func markCommitted(_ copy: StagedRow, row: UInt64) {
    let slot = Int(copy.slot)
    let changedSince = !header(slot).pointee.flags.isDisjoint(with: [.dirtyA, .dirtyB])
    header(slot).pointee.flags.remove(.pinned)
    if !changedSince { heldCount -= 1 }
    if !copy.isDeleted {
      if copy.isNew { renumber(slot, to: row) }
    } else if changedSince {
      renumber(slot, to: RowHeader.noRow)
    } else {
      remove(slot)
    }
  }

  /// Takes over that the commit failed: the row is dirty, as it was.
  mutating func markFailed(_ copy: StagedRow) {
    let slot = Int(copy.slot)
    markDirty(slot)
    header(slot).pointee.flags.remove(.pinned)
  }
}
