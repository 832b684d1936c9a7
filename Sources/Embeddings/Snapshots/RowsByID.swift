import LMDB
import Snapshots
import StorageBase

/// The vectors of a table in one commit in the order of the ids, as a snapshot of it would have them,
/// a batch at a time.
final class RowsByID {
  private let table: CommittedTable
  /// The key in the id tree from which on rows are still to be read; nil after the last.
  private var next: UInt64? = 0
  /// What a snapshot of the commit would be.
  let description: SnapshotDescription

  private static let batchRows = 4096

  init(_ table: EmbeddingTable) throws(EmbeddingError) {
    self.table = try CommittedTable(table)
    description = SnapshotDescription(
      table: table.name, record: try self.table.view.tableRecord(table.name),
      point: self.table.view.point, generation: self.table.generation,
      options: SnapshotExportOptions())
  }

  /// Replaces the batch by the next rows, ids and vectors; false after the last.
  func read(into batch: inout RowBatch) throws(EmbeddingError) -> Bool {
    let storage = table.storage
    batch.removeAll()
    guard let first = next else { return false }
    var ids = IDColumn(type: storage.idType)
    var rows: [(key: UInt64, row: UInt64)] = []
    next = nil
    try storage.forEachID(from: first, in: table.view.transaction) {
      (key, value) throws(EmbeddingError) in
      if rows.count >= Self.batchRows {
        next = key
        return false
      }
      switch storage.idType {
      case .int64:
        ids.append(IDKeys.id(key))
        rows.append((key, storage.rowNumber(value)))
      case .bytes:
        let entries = IDEntries(value: value).sorted {
          $0.bytes.lexicographicallyPrecedes($1.bytes)
        }
        for id in entries {
          ids.append(bytes: id.bytes)
          rows.append((key, id.row))
        }
      }
      return true
    }
    batch.ids = ids
    for (key, row) in rows {
      let place = storage.layout.place(ofRow: row)
      let block = try storage.block(place.block, in: table.view.transaction)
      guard row < UInt64(table.count), storage.treeKey(block.key(place.index)) == key else {
        throw storage.corruption("row \(row) is not that of its id")
      }
      batch.vectors.append(unaligned: block.vector(place.index), count: storage.layout.dimension)
    }
    return !rows.isEmpty
  }
}
