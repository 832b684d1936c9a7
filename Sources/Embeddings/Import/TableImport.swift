import LMDB
import StorageBase
import Synchronization

/// Rows on their way from a source into a table, within one write transaction.
struct TableImport: ~Copyable {
  private let table: TableCore
  private let options: ImportOptions
  private var record: TableRecord
  /// The rows that the table had before: those with a lower number are not from this import.
  private let countBefore: UInt64
  private var summary = ImportSummary()
  private var ids: ImportedIDs
  private var blocks: ImportedBlocks
  /// A bit for each row from before that was met, made when the first one is.
  private var met: [UInt64] = []

  // Of the rows taken in at a time: the keys of their ids, and the positions in the batch of those
  // not in the tree, and of those that are new.
  private var keys: [UInt64] = []
  private var unknown: [UInt32] = []
  private var fresh: [UInt32] = []

  init(table: TableCore, record: TableRecord, options: ImportOptions) {
    self.table = table
    self.options = options
    self.record = record
    countBefore = record.rowCount
    let values = ImportedValues(
      initialSlots: table.state.withLock { $0.initialSlots }, step: options.step)
    ids = ImportedIDs(storage: table.storage, firstRow: record.rowCount)
    blocks = ImportedBlocks(storage: table.storage, values: values, rowCount: record.rowCount)
  }

  /// Takes in one batch.
  mutating func add(
    _ batch: borrowing RowBatch, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    try batch.check(
      against: record.configuration, table: "table \(table.storage.name)")
    guard batch.count > 0 else { return }
    let column = batch.ids
    // Unsafe: ids and floats are read through raw memory of the batch.
    try batch.withUnsafeRows { (rows) throws(EmbeddingError) in
      try column.batch.withUnsafeIDs { (batchIDs) throws(EmbeddingError) in
        var start = 0
        while start < batchIDs.count {
          let end = min(start + ImportedIDs.mostAdded, batchIDs.count)
          try add(start..<end, of: batchIDs, column, rows, in: transaction)
          start = end
        }
      }
    }
  }

  private mutating func add(
    _ range: Range<Int>, of batchIDs: UnsafeIDs, _ column: IDColumn, _ rows: UnsafeRows,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    if ids.isFull { try ids.enter(in: transaction) }
    keys.removeAll(keepingCapacity: true)
    for i in range { keys.append(RowKey(batchIDs, i).key) }
    unknown.removeAll(keepingCapacity: true)
    fresh.removeAll(keepingCapacity: true)
    var replaced: [(row: UInt64, position: Int)] = []
    if try transaction.statistics(of: table.storage.ids).entries == 0 {
      for i in range { unknown.append(UInt32(i)) }
    } else {
      let stored = try storedRows(range, of: batchIDs, in: transaction)
      for i in range {
        if let row = stored[i - range.lowerBound] {
          try meet(row, i, id: { column[i] }, &replaced)
        } else {
          unknown.append(UInt32(i))
        }
      }
    }
    // Of equal ids the first counts.
    ids.add(
      batchIDs, keys: keys, first: range.lowerBound, positions: unknown, fresh: &fresh)
    summary.duplicates += unknown.count - fresh.count
    summary.inserted += fresh.count
    try blocks.append(
      rows, keys: keys, first: range.lowerBound, positions: fresh, in: transaction)
    try blocks.replace(replaced, from: rows, in: transaction)
  }

  /// The rows of ids that are in the id tree, found in the order of the tree.
  private func storedRows(
    _ range: Range<Int>, of batchIDs: UnsafeIDs, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> [UInt64?] {
    let storage = table.storage
    var order: [KeyedIndex] = []
    order.reserveCapacity(range.count)
    for (index, key) in keys.enumerated() {
      order.append(KeyedIndex(key: storage.treeKey(key), index: UInt32(index)))
    }
    radixSort(&order)
    var rows = [UInt64?](repeating: nil, count: range.count)
    for element in order {
      let index = Int(element.index)
      rows[index] = try storage.row(
        of: RowKey(batchIDs, range.lowerBound + index), in: transaction)
    }
    return rows
  }

  /// Decides about a row whose id is there already.
  private mutating func meet(
    _ row: UInt64, _ position: Int, id: () -> EmbeddingID,
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
      throw existingRow(id(), table: "table \(table.storage.name)")
    }
  }

  /// Writes what is left, and returns what was done and the table's new record.
  mutating func finish(
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> (ImportSummary, TableRecord) {
    try blocks.flushTail(in: transaction)
    try ids.enter(in: transaction)
    record.rowCount = blocks.rowCount
    record.totalFrequency &+= blocks.frequencyChange
    return (summary, record)
  }
}

extension TableConfiguration {
  /// The rows to ask the source of an import for at a time: 8 MiB of them, which are still in the
  /// processor's cache when they are laid out.
  var importBatchRows: Int {
    let rowSize = BlockLayout.rowFixedSize + 4 * (dimension + slotCount)
    return max(1, min(32_768, (8 << 20) / rowSize))
  }
}
