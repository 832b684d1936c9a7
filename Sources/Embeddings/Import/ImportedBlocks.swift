import LMDB
import StorageBase

/// The blocks that an import fills and changes.
struct ImportedBlocks: ~Copyable {
  /// Written ahead of the commit whenever there are so many bytes of blocks.
  static let bytesAhead = 16 << 20

  private let storage: TableStorage
  private let values: ImportedValues
  /// The rows of the table, those of the import so far included.
  private(set) var rowCount: UInt64
  /// By how much the sum of frequencies changes, modulo 2^64.
  private(set) var frequencyChange: UInt64 = 0
  /// The last block while it is not full.
  private var tail: BlockBuffer
  private var tailNumber: UInt64?
  /// The tree has the blocks below this one.
  private var blockCount: UInt64
  private var bytesWritten = 0

  init(storage: TableStorage, values: ImportedValues, rowCount: UInt64) {
    self.storage = storage
    self.values = values
    self.rowCount = rowCount
    tail = BlockBuffer(layout: storage.layout)
    blockCount = storage.layout.blockCount(rows: rowCount)
  }

  /// Appends the rows at `positions` of a batch, which rise, at the end of the table.
  ///
  /// - Parameter keys: the keys of the batch's ids from `first` on.
  mutating func append(
    _ rows: UnsafeRows, keys: [UInt64], first: Int, positions: [UInt32],
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    let layout = storage.layout
    var next = 0
    while next < positions.count {
      let place = layout.place(ofRow: rowCount)
      let count = min(layout.rowsPerBlock - place.index, positions.count - next)
      if count == layout.rowsPerBlock {
        // A whole block is laid out where LMDB keeps it.
        let memory = try transaction.appendReserving(
          place.block, count: layout.byteCount, in: storage.blocks)
        var block = BlockBuffer(layout: layout, filling: memory.baseAddress.unsafelyUnwrapped)
        frequencyChange &+= values.fill(
          &block, from: 0, rows, keys, first, positions[next..<next + count])
        block.seal(number: place.block)
        blockCount = place.block + 1
        try noteWritten(in: transaction)
      } else {
        try openTail(place, in: transaction)
        frequencyChange &+= values.fill(
          &tail, from: place.index, rows, keys, first, positions[next..<next + count])
        if place.index + count == layout.rowsPerBlock { try flushTail(in: transaction) }
      }
      rowCount += UInt64(count)
      next += count
    }
  }

  private mutating func openTail(
    _ place: (block: UInt64, index: Int), in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    guard tailNumber != place.block else { return }
    if place.index == 0 {
      tail.clear()
    } else {
      tail.load(try storage.checkedBlock(place.block, in: transaction))
    }
    tailNumber = place.block
  }

  /// Writes the last block, if it is here.
  mutating func flushTail(in transaction: borrowing WriteTransaction) throws(EmbeddingError) {
    guard let number = tailNumber else { return }
    tail.seal(number: number)
    if number < blockCount {
      try transaction.put(number, tail.bytes, in: storage.blocks)
    } else {
      try transaction.append(number, tail.bytes, in: storage.blocks)
      blockCount = number + 1
    }
    tailNumber = nil
    try noteWritten(in: transaction)
  }

  /// Replaces rows from before, block by block.
  mutating func replace(
    _ replaced: [(row: UInt64, position: Int)], from rows: UnsafeRows,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    guard !replaced.isEmpty else { return }
    // The block at the end may hold rows from before.
    try flushTail(in: transaction)
    let layout = storage.layout
    let sorted = replaced.sorted { $0.row < $1.row }
    var buffer = BlockBuffer(layout: layout)
    var k = 0
    while k < sorted.count {
      let number = layout.place(ofRow: sorted[k].row).block
      buffer.load(try storage.checkedBlock(number, in: transaction))
      while k < sorted.count, case let place = layout.place(ofRow: sorted[k].row),
        place.block == number
      {
        let (key, old) = (buffer.view(number: number).key(place.index), sorted[k].position)
        let before = buffer.view(number: number).frequency(place.index)
        frequencyChange &+= values.setFixed(
          rows, old, key: key, in: &buffer, index: place.index, replacing: before)
        values.setFloats(rows, old..<old + 1, in: &buffer, index: place.index)
        k += 1
      }
      buffer.seal(number: number)
      try transaction.put(number, buffer.bytes, in: storage.blocks)
      try noteWritten(in: transaction)
    }
  }

  private mutating func noteWritten(
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    bytesWritten += storage.layout.byteCount
    guard bytesWritten >= Self.bytesAhead else { return }
    bytesWritten = 0
    try transaction.writeAhead(storage.blocks)
  }
}
