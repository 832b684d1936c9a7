import LMDB
import StorageBase
import Synchronization

/// Rows on their way from a source into a table, within one write transaction.
struct TableImport: ~Copyable {
  /// Rows in a batch: enough that the id tree is entered in long sorted runs.
  static let batchRows = 32_768

  private let table: TableCore
  private let options: ImportOptions
  private let writer: ImportedRowWriter
  private var record: TableRecord
  /// The rows that the table had before: those with a lower number are not from this import.
  private let countBefore: UInt64
  private var summary = ImportSummary()
  /// The block at the end of the table, being filled.
  private var tail: BlockBuffer
  private var tailNumber: UInt64?
  /// A bit for each row from before that was met, made when the first one is.
  private var met: [UInt64] = []

  init(table: TableCore, record: TableRecord, options: ImportOptions) {
    self.table = table
    self.options = options
    self.record = record
    countBefore = record.rowCount
    writer = ImportedRowWriter(
      initialSlots: table.state.withLock { $0.initialSlots }, step: options.step)
    tail = BlockBuffer(layout: table.storage.layout)
  }

  /// Takes in one batch.
  mutating func add(
    _ batch: borrowing RowBatch, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    try batch.check(
      against: record.configuration, table: "table \(table.storage.name)")
    let storage = table.storage
    // Unsafe: ids and floats are read through raw memory of the batch.
    let column = batch.ids
    var fresh: [Int] = []
    var replaced: [(row: UInt64, position: Int)] = []
    try column.batch.withUnsafeIDs { (ids) throws(EmbeddingError) in
      var keys: [(treeKey: UInt64, position: Int)] = []
      keys.reserveCapacity(ids.count)
      for i in 0..<ids.count { keys.append((storage.treeKey(RowKey(ids, i).key), i)) }
      keys.sort { $0.treeKey == $1.treeKey ? $0.position < $1.position : $0.treeKey < $1.treeKey }

      // Which rows are new, which are there, and which repeat one of this batch.
      var isFresh = [Bool](repeating: false, count: ids.count)
      var runStart = 0
      for k in keys.indices {
        if keys[k].treeKey != keys[runStart].treeKey { runStart = k }
        let i = keys[k].position
        let key = RowKey(ids, i)
        let repeats = (runStart..<k).contains { RowKey(ids, keys[$0].position) == key }
        if repeats {
          summary.duplicates += 1
        } else if let row = try storage.row(of: key, in: transaction) {
          try meet(row, i, id: column[i], &replaced)
        } else {
          isFresh[i] = true
        }
      }
      // Numbers in the order of the source; ids entered in the order of the tree.
      var rowOf = [UInt64](repeating: 0, count: ids.count)
      for i in 0..<ids.count where isFresh[i] {
        rowOf[i] = record.rowCount + UInt64(fresh.count)
        fresh.append(i)
      }
      for (_, i) in keys where isFresh[i] {
        try storage.insertID(RowKey(ids, i), row: rowOf[i], in: transaction)
      }
      for i in fresh { try append(batch, i, key: RowKey(ids, i).key, in: transaction) }
    }
    summary.inserted += fresh.count
    try replace(replaced, from: batch, in: transaction)
  }

  /// Decides about a row whose id is there already.
  private mutating func meet(
    _ row: UInt64, _ position: Int, id: EmbeddingID,
    _ replaced: inout [(row: UInt64, position: Int)]
  ) throws(EmbeddingError) {
    guard row < countBefore else {
      summary.duplicates += 1
      return
    }
    if met.isEmpty { met = Array(repeating: 0, count: Int(countBefore + 63) / 64) }
    let (word, bit) = (Int(row / 64), UInt64(1) << (row % 64))
    guard met[word] & bit == 0 else {
      summary.duplicates += 1
      return
    }
    met[word] |= bit
    switch options.existing {
    case .replace:
      summary.replaced += 1
      replaced.append((row, position))
    case .keep:
      summary.kept += 1
    case .refuse:
      throw existingRow(id, table: "table \(table.storage.name)")
    }
  }

  // MARK: Blocks

  /// Appends row `i` of the batch at the end of the table.
  private mutating func append(
    _ batch: borrowing RowBatch, _ i: Int, key: UInt64, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    let storage = table.storage
    let place = storage.layout.place(ofRow: record.rowCount)
    if tailNumber != place.block {
      try flushTail(in: transaction)
      if place.index == 0 {
        tail.clear()
      } else {
        tail.load(try storage.checkedBlock(place.block, in: transaction))
      }
      tailNumber = place.block
    }
    record.totalFrequency &+= writer.set(
      batch, i, key: key, in: &tail, index: place.index, isNew: true)
    record.rowCount += 1
  }

  private mutating func flushTail(
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    guard let number = tailNumber else { return }
    tail.seal(number: number)
    try transaction.put(number, tail.bytes, in: table.storage.blocks)
    tailNumber = nil
  }

  /// Replaces rows from before, block by block.
  private mutating func replace(
    _ rows: [(row: UInt64, position: Int)], from batch: borrowing RowBatch,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    guard !rows.isEmpty else { return }
    // The block at the end may hold rows from before.
    try flushTail(in: transaction)
    let storage = table.storage
    let sorted = rows.sorted { $0.row < $1.row }
    var buffer = BlockBuffer(layout: storage.layout)
    var k = 0
    while k < sorted.count {
      let number = storage.layout.place(ofRow: sorted[k].row).block
      buffer.load(try storage.checkedBlock(number, in: transaction))
      while k < sorted.count, storage.layout.place(ofRow: sorted[k].row).block == number {
        let index = storage.layout.place(ofRow: sorted[k].row).index
        let key = buffer.view(number: number).key(index)
        record.totalFrequency &+= writer.set(
          batch, sorted[k].position, key: key, in: &buffer, index: index, isNew: false)
        k += 1
      }
      buffer.seal(number: number)
      try transaction.put(number, buffer.bytes, in: storage.blocks)
    }
  }

  /// Writes what is left, and returns what was done and the table's new record.
  mutating func finish(
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> (ImportSummary, TableRecord) {
    try flushTail(in: transaction)
    return (summary, record)
  }
}

/// Puts rows of a batch to import into blocks.
private struct ImportedRowWriter {
  /// The slots of a row whose source has none.
  let initialSlots: [Float]
  /// The last step of such a row.
  let step: Int64

  /// Sets a row of a block from row `i` of the batch; what the batch has not stays as it was, or
  /// starts anew in a new row. Returns the change of the row's frequency.
  func set(
    _ batch: borrowing RowBatch, _ i: Int, key: UInt64, in buffer: inout BlockBuffer,
    index: Int, isNew: Bool
  ) -> UInt64 {
    let layout = buffer.layout
    let oldFrequency = isNew ? 0 : buffer.view(number: 0).frequency(index)
    let frequency = batch.frequencies.isEmpty ? oldFrequency : batch.frequencies[i]
    let lastStep = batch.lastSteps.isEmpty ? step : batch.lastSteps[i]
    buffer.setFixed(index, key: key, frequency: frequency, lastStep: lastStep)
    batch.vectors.withUnsafeBufferPointer {
      buffer.setVector(index, from: $0.baseAddress.unsafelyUnwrapped + i * layout.dimension)
    }
    guard layout.slotCount > 0 else { return frequency &- oldFrequency }
    if !batch.slots.isEmpty {
      batch.slots.withUnsafeBufferPointer {
        buffer.setSlots(index, from: $0.baseAddress.unsafelyUnwrapped + i * layout.slotCount)
      }
    } else {
      // A vector from elsewhere has no history here.
      initialSlots.withUnsafeBufferPointer {
        buffer.setSlots(index, from: $0.baseAddress.unsafelyUnwrapped)
      }
    }
    return frequency &- oldFrequency
  }
}

extension RowKey {
  static func == (a: RowKey, b: RowKey) -> Bool {
    a.key == b.key && isEqual(a.bytes, b.bytes)
  }
}
