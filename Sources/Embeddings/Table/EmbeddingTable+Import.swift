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
  /// Memory, whatever the number of rows: seven batches of 4 MiB (or of one row, if that is more), 8
  /// MiB of pages on their way to the file, less of both where the budget is below 256 MiB, and up to
  /// 256 MiB for new ids, in a table of byte-string ids 512 MiB: they are collected, four million or 64
  /// MiB of bytes at a time, and entered in the id tree in its order. Beside it one bit for each row
  /// that the table had before. An import into an empty table is the fastest; where the id tree holds
  /// ids, each new one is looked up there.
  ///
  /// Training waits while an import runs. The source is called in this thread, and asked for a batch
  /// while a second thread lays out the one before and a third writes those before that. The import
  /// may be interrupted at any point, kill -9 included: the table is then as it was.
  @discardableResult
  public func importRows(
    _ options: ImportOptions, from makeSource: () throws(EmbeddingError) -> RowSource
  ) throws(EmbeddingError) -> ImportSummary {
    try importRows(options, limits: nil, from: makeSource)
  }

  /// - Parameters:
  ///   - identity: the state that the rows make of a table without any, if it is known once the source
  ///     has come to its end.
  ///   - sections: what of a snapshot comes behind its rows, where the table takes part of it.
  @discardableResult
  func importRows(
    _ options: ImportOptions, limits: ImportLimits? = nil,
    leadingTo identity: (_ taken: SectionImport.Taken?) -> SnapshotIdentity? = { _ in nil },
    sections: SnapshotSections? = nil,
    from makeSource: () throws(EmbeddingError) -> RowSource
  ) throws(EmbeddingError) -> ImportSummary {
    try database.checkWritable("import")
    let limits = limits ?? ImportLimits().within(cache.budget)
    return try database.alone { () throws(EmbeddingError) in
      try database.commitAlone(as: database.state.withLock { $0.live })
      let (result, records) = try database.writeTables(tables(with: sections)) {
        (transaction, records, stamp) throws(EmbeddingError)
          -> ((ImportSummary, SectionImport.Taken?), [TableRecord]) in
        var importer = try TableImport(
          table: core, record: records[0], stamp: stamp, options: options, limits: limits,
          in: transaction)
        try importer.run(try makeSource(), in: transaction)
        let taken = try sections?.take(
          into: core, records, stamp, limits: limits, in: transaction)
        let (summary, record) = try importer.finish(identity: identity(taken), in: transaction)
        return ((summary, taken), Self.records(record, taken, before: records))
      }
      takeOver(records, result.1)
      // Batches, pages and ids of a large import took memory that nothing will take soon.
      if result.0.inserted + result.0.replaced >= Self.rowsToTrimAfter { returnFreedMemory() }
      return result.0
    }
  }

  /// Rows after whose import freed memory is given back to the system.
  private static var rowsToTrimAfter: Int { 1 << 16 }

  /// The tables that an import changes.
  func tables(with sections: SnapshotSections?) -> [TableCore] {
    guard sections != nil, let shared = core.shared else { return [core] }
    return [core, shared]
  }

  /// The records of these tables after an import.
  static func records(
    _ record: TableRecord, _ taken: SectionImport.Taken?, before: [TableRecord]
  ) -> [TableRecord] {
    var records = before
    records[0] = record
    if let life = taken?.counts { records[0].life = life }
    if let shared = taken?.shared { records[1] = shared }
    return records
  }

  /// Takes over what an import made of the tables.
  func takeOver(_ records: [TableRecord], _ taken: SectionImport.Taken?) {
    // The cache holds only rows that were committed, some of which have changed, and rows on probation,
    // which are forgotten.
    cache.removeAll()
    if let life = taken?.counts { core.admission?.takeOver(life, cache: cache) }
    core.takeOver(records[0])
    guard records.count > 1, let shared = core.shared else { return }
    shared.cache.removeAll()
    shared.takeOver(records[1])
  }
}

/// The sections of a snapshot that is being imported, for a table whose ids have to earn their rows.
struct SnapshotSections {
  /// The file, read up to its sections.
  let stream: () -> SnapshotStream?

  /// Reads to the end of the file, and takes in what is the table's.
  func take(
    into table: TableCore, _ records: [TableRecord], _ stamp: CommitStamp, limits: ImportLimits,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> SectionImport.Taken {
    guard let stream = stream() else { preconditionFailure("sections without their file") }
    return try SectionImport(
      table: table, record: records[0], sharedRecord: records.count > 1 ? records[1] : nil,
      stamp: stamp, limits: limits, isDelta: stream.description.isDelta, file: stream.name,
      slotCount: stream.description.storedSlotCount
    ).run(SectionReader(stream), in: transaction)
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
    let (result, records) = try writeTables([table]) {
      (transaction, before, stamp) throws(EmbeddingError) -> (R, [TableRecord]) in
      let (result, record) = try body(transaction, before[0], stamp)
      return (result, [record])
    }
    return (result, records[0])
  }

  /// The same for several tables; `body` is given their records, and returns them as they become.
  func writeTables<R>(
    _ changed: [TableCore],
    _ body: (
      borrowing WriteTransaction, [TableRecord], CommitStamp
    ) throws(EmbeddingError) -> (R, [TableRecord])
  ) throws(EmbeddingError) -> (R, [TableRecord]) {
    let before = changed.map { table in table.state.withLock { $0.record } }
    let numbers = changed.map(\.number)
    var record = state.withLock { $0.record }
    let previous = record.generation
    record.generation += 1
    let stamp = CommitStamp(generation: record.generation, point: record.point)
    let tables = openTables.withLock { Array($0.values) }
    var number: UInt64 = 0
    let result = try environment.write {
      (transaction) throws(EmbeddingError) -> (R, [TableRecord]) in
      number = transaction.id
      try checkGeneration(previous, in: transaction)
      let result = try body(transaction, before, stamp)
      for (table, record) in zip(changed, result.1) {
        try Self.put(
          record.encode(), under: TableRecord.key(table.storage.name), in: meta, transaction)
      }
      try Self.put(record.encode(), under: DatabaseRecord.key, in: meta, transaction)
      announce(
        number, from: previous, to: record.generation, tables: tables, changed: [],
        except: Set(numbers))
      return result
    }
    state.withLock { $0.record.generation = record.generation }
    for other in tables where !numbers.contains(other.number) {
      other.advance(to: number, changedBlocks: [])
    }
    return result
  }
}
