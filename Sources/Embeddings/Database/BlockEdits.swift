import LMDB
import StorageBase
import Synchronization

/// Changes to the blocks of a table, carried out block by block in rising order, each block read,
/// checked, changed and written once.
struct BlockEdits: ~Copyable {
  let storage: TableStorage
  /// Rows to write, by their numbers.
  var rows: [TableCommit.PlacedRow] = []
  /// Rows that move within the table.
  var moves: [(to: UInt64, from: UInt64)] = []
  private(set) var changedBlocks: [Int] = []

  init(storage: TableStorage) { self.storage = storage }

  /// Writes all changes, and returns by how much they change the sum of frequencies of the rows
  /// that stay (modulo 2^64).
  mutating func write(
    oldCount: UInt64, newCount: UInt64, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> UInt64 {
    rows.sort { $0.row < $1.row }
    moves.sort { $0.to < $1.to }
    let layout = storage.layout
    var buffer = BlockBuffer(layout: layout)
    var change: UInt64 = 0
    var nextRow = 0
    var nextMove = 0
    while nextRow < rows.count || nextMove < moves.count {
      let first = min(
        nextRow < rows.count ? rows[nextRow].row : .max,
        nextMove < moves.count ? moves[nextMove].to : .max)
      let number = layout.place(ofRow: first).block
      let end = (number + 1) * UInt64(layout.rowsPerBlock)
      if number < layout.blockCount(rows: oldCount) {
        buffer.load(try storage.checkedBlock(number, in: transaction))
      } else {
        buffer.clear()
      }
      while nextMove < moves.count, moves[nextMove].to < end {
        let from = layout.place(ofRow: moves[nextMove].from)
        let to = layout.place(ofRow: moves[nextMove].to)
        buffer.setRow(
          to.index, from: try storage.checkedBlock(from.block, in: transaction), from.index)
        nextMove += 1
      }
      while nextRow < rows.count, rows[nextRow].row < end {
        change &+= set(rows[nextRow], in: &buffer, number: number)
        nextRow += 1
      }
      if newCount < end {
        buffer.truncate(toRows: Int(newCount - number * UInt64(layout.rowsPerBlock)))
      }
      try put(&buffer, number: number, in: transaction)
    }
    try shrink(from: oldCount, to: newCount, &buffer, in: transaction)
    return change
  }

  /// Copies a row into the block; returns the change of its frequency.
  private func set(
    _ row: TableCommit.PlacedRow, in buffer: inout BlockBuffer, number: UInt64
  ) -> UInt64 {
    let index = storage.layout.place(ofRow: row.row).index
    let old = buffer.view(number: number).frequency(index)
    let counts = row.copy.counts
    // Only rows that are not deleted are written, and these have floats.
    let floats = row.copy.floats.unsafelyUnwrapped
    buffer.setFixed(
      index, key: row.copy.key.key, frequency: counts.frequency, lastStep: counts.lastStep)
    buffer.setVector(index, from: floats)
    buffer.setSlots(index, from: floats + storage.layout.dimension)
    return counts.frequency &- old
  }

  /// Takes away the blocks behind the last row, and clears what is left of the last one.
  private mutating func shrink(
    from oldCount: UInt64, to newCount: UInt64, _ buffer: inout BlockBuffer,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    guard newCount < oldCount else { return }
    let layout = storage.layout
    let kept = layout.blockCount(rows: newCount)
    for number in kept..<layout.blockCount(rows: oldCount) {
      try transaction.delete(number, in: storage.blocks)
    }
    guard kept > 0, changedBlocks.last != Int(kept - 1) else { return }
    buffer.load(try storage.checkedBlock(kept - 1, in: transaction))
    buffer.truncate(toRows: Int(newCount - (kept - 1) * UInt64(layout.rowsPerBlock)))
    try put(&buffer, number: kept - 1, in: transaction)
  }

  private mutating func put(
    _ buffer: inout BlockBuffer, number: UInt64, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    buffer.seal(number: number)
    try transaction.put(number, buffer.bytes, in: storage.blocks)
    changedBlocks.append(Int(number))
  }
}
