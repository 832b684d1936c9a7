import LMDB
public import StorageBase
import Synchronization

extension EmbeddingTable {
  /// Takes in rows batch by batch, in one transaction: all or nothing.
  ///
  /// What was trained before is committed first. Rows get numbers in the order of the source, so a
  /// source sorted by falling frequency lays hot rows side by side. Memory: one batch, the pages that
  /// LMDB keeps until the commit (at most 512 MiB, the rest goes to the file as it fills), and one
  /// bit for each row that the table had before.
  ///
  /// Training waits while an import runs. The import may be interrupted at any point, kill -9
  /// included: the table is then as it was.
  @discardableResult
  public func importRows(
    _ options: ImportOptions, from makeSource: () throws(EmbeddingError) -> RowSource
  ) throws(EmbeddingError) -> ImportSummary {
    try database.checkWritable("import")
    return try database.gate.exclusive { () throws(EmbeddingError) in
      try database.commitAlone(as: database.state.withLock { $0.live })
      let (summary, record) = try database.writeTable(core) {
        (transaction, record) throws(EmbeddingError) in
        var importer = try TableImport(
          table: core, record: record, options: options, in: transaction)
        return try importer.run(try makeSource(), in: transaction)
      }
      // The cache holds only rows that were committed, some of which have changed.
      cache.removeAll()
      cache.changedBlocks.reset(rowCount: record.rowCount)
      core.state.withLock { $0.record = record }
      core.sampler.invalidate()
      return summary
    }
  }
}

extension EmbeddingDatabase {
  /// Runs a write transaction that changes the rows of one table, at the current point of training;
  /// the caller has the gate to itself, and nothing waits for a commit.
  func writeTable<R>(
    _ table: TableCore,
    _ body: (
      borrowing WriteTransaction, TableRecord
    ) throws(EmbeddingError) -> (R, TableRecord)
  ) throws(EmbeddingError) -> (R, TableRecord) {
    let before = table.state.withLock { $0.record }
    var record = state.withLock { $0.record }
    let previous = record.generation
    record.generation += 1
    let tables = openTables.withLock { Array($0.values) }
    let result = try environment.write {
      (transaction) throws(EmbeddingError) -> (R, TableRecord) in
      try checkGeneration(previous, in: transaction)
      let result = try body(transaction, before)
      try Self.put(
        result.1.encode(), under: TableRecord.key(table.storage.name), in: meta, transaction)
      try Self.put(record.encode(), under: DatabaseRecord.key, in: meta, transaction)
      announce(
        from: previous, to: record.generation, tables: tables, changed: [], except: table.number)
      return result
    }
    state.withLock { $0.record.generation = record.generation }
    return result
  }
}
