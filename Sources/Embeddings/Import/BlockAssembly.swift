import StorageBase

/// The part of an import that needs no transaction, and so can run beside the thread that has one:
/// checks a batch, finds out which of its ids are new, and lays their rows out in blocks.
final class BlockAssembly {
  private let storage: TableStorage
  private let values: ImportedValues
  var ids: ImportedIDs
  /// The blocks completed since others took their place here.
  var blocks: PreparedBlocks
  /// The last block while it is not full.
  var tail: BlockBuffer
  private(set) var tailNumber: UInt64?
  /// The rows of the table, those of the import so far included.
  private(set) var rowCount: UInt64
  /// By how much the sum of frequencies grows, modulo 2^64.
  private(set) var frequencyChange: UInt64 = 0
  /// What the completed blocks hold, in their order.
  private(set) var content = ContentHash()
  private(set) var inserted = 0
  private(set) var duplicates = 0
  private var keys: [UInt64] = []
  private var fresh: [UInt32] = []

  init(
    storage: TableStorage, values: ImportedValues, limits: ImportLimits, rowCount: UInt64
  ) {
    self.storage = storage
    self.values = values
    self.rowCount = rowCount
    ids = ImportedIDs(storage: storage, limits: limits, firstRow: rowCount)
    blocks = PreparedBlocks(layout: storage.layout)
    tail = BlockBuffer(layout: storage.layout)
  }

  /// Goes on in the table's last block, which is not full.
  func begin(with block: BlockView) {
    tail.load(block)
    tailNumber = block.number
  }

  /// Takes in rows `range` of a batch, but for those whose ids are in the tree.
  ///
  /// - Parameter unknown: the positions of ids that are not in the tree, rising; nil for all.
  func add(
    _ batch: borrowing RowBatch, _ range: Range<Int>, unknown: [UInt32]?
  ) throws(EmbeddingError) {
    let column = batch.ids
    // Unsafe: ids and floats are read through raw memory of the batch.
    try batch.withUnsafeRows { (rows) throws(EmbeddingError) in
      try column.batch.withUnsafeIDs { (batchIDs) throws(EmbeddingError) in
        keys.removeAll(keepingCapacity: true)
        fresh.removeAll(keepingCapacity: true)
        for i in range { keys.append(RowKey(batchIDs, i).key) }
        let positions = unknown ?? range.map { UInt32($0) }
        // Of equal ids the first counts.
        ids.add(
          batchIDs, keys: keys, first: range.lowerBound, positions: positions, fresh: &fresh)
        duplicates += positions.count - fresh.count
        inserted += fresh.count
        append(rows, first: range.lowerBound)
      }
    }
  }

  /// Lays out the new rows behind the last one.
  private func append(_ rows: UnsafeRows, first: Int) {
    let layout = storage.layout
    blocks.reserve(fresh.count / layout.rowsPerBlock + 2)
    var next = 0
    while next < fresh.count {
      let place = layout.place(ofRow: rowCount)
      let count = min(layout.rowsPerBlock - place.index, fresh.count - next)
      let positions = fresh[next..<next + count]
      if count == layout.rowsPerBlock {
        var block = BlockBuffer(layout: layout, filling: blocks.append(number: place.block))
        frequencyChange &+= values.fill(&block, from: 0, rows, keys, first, positions)
        content.add(block.seal(number: place.block))
      } else {
        if place.index == 0 { tail.clear() }
        tailNumber = place.block
        frequencyChange &+= values.fill(&tail, from: place.index, rows, keys, first, positions)
        if place.index + count == layout.rowsPerBlock { finishTail() }
      }
      rowCount += UInt64(count)
      next += count
    }
  }

  /// Adds the last block to those that are complete.
  func finishTail() {
    guard let number = tailNumber else { return }
    if blocks.count == 0 { blocks.reserve(1) }
    content.add(tail.seal(number: number))
    blocks.append(number: number).copyMemory(
      from: tail.bytes.baseAddress.unsafelyUnwrapped, byteCount: storage.layout.byteCount)
    tailNumber = nil
  }
}
