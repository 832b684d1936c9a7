import LMDB
import StorageBase

@testable import Embeddings

/// What holds in every commit, whatever led to it: each row has one entry in the id tree, which
/// leads back to it, there is no other entry and no other block, every block is intact, and the sum
/// of frequencies is that of the rows. Returns the first thing that does not hold, or nil.
func brokenInvariant(of table: EmbeddingTable) throws(EmbeddingError) -> String? {
  try table.database.read { (view) throws(EmbeddingError) -> String? in
    let record = try view.tableRecord(table.name)
    let storage = table.storage
    var broken: String?
    var row: UInt64 = 0
    var frequency: UInt64 = 0
    try view.forEachBatch(of: table, ofAtMost: 1000) { (batch) throws(EmbeddingError) in
      let column = batch.ids
      try column.batch.withUnsafeIDs { (ids) throws(EmbeddingError) in
        for i in 0..<ids.count {
          let found = try storage.row(of: RowKey(ids, i), in: view.transaction)
          if found != row { broken = "id \(column[i]) of row \(row) leads to row \(found ?? 0)" }
          row += 1
        }
      }
      frequency = batch.frequencies.reduce(frequency, &+)
      return broken == nil
    }
    if let broken { return broken }
    if row != record.rowCount { return "\(row) rows, \(record.rowCount) in the record" }
    if frequency != record.totalFrequency { return "\(frequency) is not the sum of frequencies" }
    let entries = try entryCount(storage, view)
    if entries != Int(row) { return "\(entries) ids for \(row) rows" }
    let blocks = try view.transaction.statistics(of: storage.blocks).entries
    if blocks != Int(storage.layout.blockCount(rows: row)) { return "\(blocks) blocks" }
    return nil
  }
}

private func entryCount(
  _ storage: TableStorage, _ view: borrowing CommittedView
) throws(EmbeddingError) -> Int {
  var count = 0
  try storage.forEachID(in: view.transaction) { (_, value) throws(EmbeddingError) in
    count += storage.idType == .int64 ? 1 : IDEntries(value: value).entryCount
    return true
  }
  return count
}

extension IDEntries {
  fileprivate var entryCount: Int { reduce(0) { count, _ in count + 1 } }
}
