import LMDB
import StorageBase

/// Removes any number of rows from a table, within one write transaction.
///
/// For what removes more rows than a commit's lists may hold: eviction, and deltas. The cache must
/// hold nothing that the transaction does not know, and is told afterwards what has moved
/// (`TableCore.takeOver`).
///
/// Memory, whatever is removed: the set of the rows, one block, and the keys of ``Limits/idCount``
/// ids. Each block that changes is read, checked, changed and written once, in rising order; each
/// page of the id tree as well: where more ids change than are worth sorting, the tree is walked from
/// one end to the other.
struct RowRemoval {
  /// When what is done. Tests take small ones, to meet every case.
  struct Limits {
    /// The most ids that are found by the keys of their rows, and changed in the order of the tree;
    /// more of them are found by a walk through all of it.
    var idCount = 1 << 20
    /// Pages are written ahead of the commit whenever there are so many bytes of them.
    var bytesAhead = 32 << 20
  }

  let storage: TableStorage
  let limits: Limits
  let numbers: Renumbering
  private var removed: RowSet { numbers.removed }

  init(_ rows: RowSet, from storage: TableStorage, limits: Limits = Limits()) {
    self.storage = storage
    self.limits = limits
    numbers = Renumbering(removing: rows)
  }

  /// Removes the rows from the table that `record` describes, and brings the record up to date.
  ///
  /// - Parameter recorder: takes down the ids that go, in the order of the tree, and the blocks that
  ///   change; the caller finishes it.
  func run(
    _ record: inout TableRecord, _ recorder: inout ChangeRecorder,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    precondition(record.rowCount == removed.rowCount, "the rows are those of another state")
    guard removed.count > 0 else { return }
    let changes = try changeIDs(&recorder, in: transaction)
    guard changes == (UInt64(removed.count), numbers.moveCount) else {
      throw storage.corruption(
        "\(changes.removed) ids lead to \(removed.count) rows to be removed, "
          + "\(changes.moved) to \(numbers.moveCount) to be moved")
    }
    record.totalFrequency &-= try changeBlocks(&recorder, in: transaction)
    record.rowCount = numbers.newCount
  }

  // MARK: Blocks

  /// Moves rows into the holes, and takes the blocks behind the new end away. Returns the sum of the
  /// frequencies of the removed rows.
  private func changeBlocks(
    _ recorder: inout ChangeRecorder, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> UInt64 {
    let layout = storage.layout
    let newCount = numbers.newCount
    var lost: UInt64 = 0
    var buffer = BlockBuffer(layout: layout)
    var bytesInMemory = 0
    // The rows behind the new end, with which holes are filled. Their blocks stay as they are until
    // then; the one that the new end lies in gives its rows away before it is changed.
    var tail = newCount
    var checkedTail = UInt64.max
    var next: UInt64 = 0
    while let number = changedBlock(from: next) {
      buffer.load(try storage.checkedBlock(number, in: transaction))
      let rows = self.rows(ofBlock: number)
      forEachRemoved(in: rows) { lost &+= buffer.view(number: number).frequency($1) }
      var hole = removed.next(from: rows.lowerBound)
      while let row = hole, row < min(rows.upperBound, newCount) {
        while removed.contains(tail) { tail += 1 }
        let from = layout.place(ofRow: tail)
        let source =
          from.block == checkedTail
          ? try storage.block(from.block, in: transaction)
          : try storage.checkedBlock(from.block, in: transaction)
        checkedTail = from.block
        buffer.setRow(layout.place(ofRow: row).index, from: source, from.index)
        tail += 1
        hole = removed.next(from: row + 1)
      }
      if newCount < rows.upperBound {
        buffer.truncate(toRows: Int(newCount - rows.lowerBound))
      }
      recorder.content.add(buffer.seal(number: number))
      try transaction.put(number, buffer.bytes, in: storage.blocks)
      try recorder.noteBlock(number, in: transaction)
      bytesInMemory += buffer.bytes.count
      if bytesInMemory >= limits.bytesAhead {
        bytesInMemory = 0
        try transaction.writeAhead(storage.blocks)
      }
      next = rows.upperBound
    }
    for number in layout.blockCount(rows: newCount)..<layout.blockCount(rows: removed.rowCount) {
      let rows = self.rows(ofBlock: number)
      if let row = removed.next(from: rows.lowerBound), row < rows.upperBound {
        let block = try storage.checkedBlock(number, in: transaction)
        forEachRemoved(in: rows) { lost &+= block.frequency($1) }
      }
      try transaction.delete(number, in: storage.blocks)
    }
    return lost
  }

  /// The rows of a block before the removal.
  func rows(ofBlock number: UInt64) -> Range<UInt64> {
    let rowsPerBlock = UInt64(storage.layout.rowsPerBlock)
    let start = number * rowsPerBlock
    return start..<min(start + rowsPerBlock, removed.rowCount)
  }

  /// The first block from that of `row` on that stays, and changes: it has holes, or the table ends
  /// in it.
  private func changedBlock(from row: UInt64) -> UInt64? {
    let newCount = numbers.newCount
    guard row < newCount else { return nil }
    if let hole = removed.next(from: row), hole < newCount {
      return storage.layout.place(ofRow: hole).block
    }
    let end = storage.layout.place(ofRow: newCount)
    return end.index > 0 ? end.block : nil
  }

  /// Calls `body` with every removed row in a range, and its place in its block.
  private func forEachRemoved(in rows: Range<UInt64>, _ body: (UInt64, Int) -> Void) {
    var next = removed.next(from: rows.lowerBound)
    while let row = next, row < rows.upperBound {
      body(row, storage.layout.place(ofRow: row).index)
      next = removed.next(from: row + 1)
    }
  }
}
