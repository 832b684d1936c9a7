import LMDB
import Snapshots
public import StorageBase
import Synchronization

extension EmbeddingTable {
  /// Takes in rows batch by batch, in one transaction: all or nothing.
  ///
  /// What was trained before is committed first. Rows get numbers in the order of the source, so a
  /// source sorted by falling frequency lays hot rows side by side.
  ///
  /// Memory, whatever the number of rows: four batches of 8 MiB (or of one row, if that is more), 32
  /// MiB of pages on their way to the file, and up to 256 MiB for new ids, in a table of byte-string
  /// ids 512 MiB: they are collected, four million or 64 MiB of bytes at a time, and entered in the
  /// id tree in its order. Beside it one bit for each row that the table had before. An import into
  /// an empty table is the fastest; where the id tree holds ids, each new one is looked up there.
  ///
  /// Training waits while an import runs. The source is called in this thread, and asked for a batch
  /// while a second thread works on the one before. The import may be interrupted at any point, kill -9
  /// included: the table is then as it was.
  @discardableResult
  public func importRows(
    _ options: ImportOptions, from makeSource: () throws(EmbeddingError) -> RowSource
  ) throws(EmbeddingError) -> ImportSummary {
    try importRows(options, limits: ImportLimits(), from: makeSource)
  }

  /// - Parameter identity: the state that the rows make of a table without any, if it is known once
  ///   the source has come to its end.
  @discardableResult
  func importRows(
    _ options: ImportOptions, limits: ImportLimits = ImportLimits(),
    leadingTo identity: () -> SnapshotIdentity? = { nil },
    from makeSource: () throws(EmbeddingError) -> RowSource
  ) throws(EmbeddingError) -> ImportSummary {
    try database.checkWritable("import")
    return try database.alone { () throws(EmbeddingError) in
      try database.commitAlone(as: database.state.withLock { $0.live })
      let (summary, record) = try database.writeTable(core) {
        (transaction, record, stamp) throws(EmbeddingError) in
        var importer = try TableImport(
          table: core, record: record, stamp: stamp, options: options, limits: limits,
          in: transaction)
        try importer.run(try makeSource(), in: transaction)
        return try importer.finish(identity: identity(), in: transaction)
      }
      // The cache holds only rows that were committed, some of which have changed.
      cache.removeAll()
      core.takeOver(record)
      return summary
    }
  }
}

extension EmbeddingDatabase {
  /// Runs a write transaction that changes one table, at the current point of training, and is the
  /// commit that `body` is told of. `body` takes what it changes down with a ``ChangeRecorder``. The
  /// caller has the gate to itself, and nothing waits for a commit.
  func writeTable<R>(
    _ table: TableCore,
    _ body: (
      borrowing WriteTransaction, TableRecord, CommitStamp
    ) throws(EmbeddingError) -> (R, TableRecord)
  ) throws(EmbeddingError) -> (R, TableRecord) {
    let before = table.state.withLock { $0.record }
    var record = state.withLock { $0.record }
    let previous = record.generation
    record.generation += 1
    let stamp = CommitStamp(generation: record.generation, point: record.point)
    let tables = openTables.withLock { Array($0.values) }
    var number: UInt64 = 0
    let result = try environment.write {
      (transaction) throws(EmbeddingError) -> (R, TableRecord) in
      number = transaction.id
      try checkGeneration(previous, in: transaction)
      let result = try body(transaction, before, stamp)
      try Self.put(
        result.1.encode(), under: TableRecord.key(table.storage.name), in: meta, transaction)
      try Self.put(record.encode(), under: DatabaseRecord.key, in: meta, transaction)
      announce(
        number, from: previous, to: record.generation, tables: tables, changed: [],
        except: [table.number])
      return result
    }
    state.withLock { $0.record.generation = record.generation }
    for other in tables where other !== table { other.advance(to: number, changedBlocks: []) }
    return result
  }
}
