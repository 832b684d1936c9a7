import LMDB
public import StorageBase
import Synchronization

extension EmbeddingDatabase {
  /// Measures the database: its tables in the last commit, the cache, and LMDB below.
  ///
  /// Opens every table. Takes milliseconds, whatever the number of rows: none is read, but the list of
  /// free pages is walked, and admission filters are loaded.
  ///
  /// - Throws: ``EmbeddingError/Code/corruption`` where a table's record is damaged; see
  ///   ``verify(progress:)``.
  public func statistics() throws(EmbeddingError) -> DatabaseReport {
    let storage = try storageReport()
    // A tree that is opened after a transaction began cannot be read in it.
    for name in try tableNames { _ = try table(name) }
    return try read { (view) throws(EmbeddingError) -> DatabaseReport in
      var tables: [TableReport] = []
      for name in try view.tableNames() {
        // One that was created meanwhile is of the next report.
        guard let core = openTables.withLock({ $0[name] }) else { continue }
        tables.append(try report(core, in: view, pageSize: storage.pageSize))
      }
      return DatabaseReport(
        path: path, formatVersion: Int(DatabaseRecord.version), lastCommit: view.point,
        generation: view.generation, cacheBudget: budget.limit, cachedBytes: budget.usedBytes,
        uncommittedBytes: budget.dirtyBytes, tables: tables, storage: storage)
    }
  }

  private func report(
    _ core: TableCore, in view: borrowing CommittedView, pageSize: Int
  ) throws(EmbeddingError) -> TableReport {
    let storage = core.storage
    let record = try view.tableRecord(storage.name)
    func bytes(_ statistics: DatabaseStatistics) -> Int {
      (statistics.branchPages + statistics.leafPages + statistics.overflowPages) * pageSize
    }
    return TableReport(
      name: storage.name, configuration: record.configuration, rows: Int(record.rowCount),
      totalFrequency: record.totalFrequency,
      idBytes: bytes(try view.transaction.statistics(of: storage.ids)),
      blockBytes: bytes(try view.transaction.statistics(of: storage.blocks)),
      stateBytes: bytes(try view.transaction.statistics(of: storage.state)),
      rowsPerBlock: storage.layout.rowsPerBlock, blockSize: storage.layout.byteCount,
      cachedRows: core.cache.rowCount, cachedBytes: core.cache.slabBytes,
      uncommittedRows: core.cache.dirtyCount, evictedRows: record.evictions.evicted,
      lastEvictionStep: record.configuration.eviction == nil ? nil : record.evictions.lastStep,
      life: try life(core, record, in: view))
  }

  private func life(
    _ core: TableCore, _ record: TableRecord, in view: borrowing CommittedView
  ) throws(EmbeddingError) -> LifeReport? {
    guard let admission = core.admission else { return nil }
    let shared = try core.shared.map { (core) throws(EmbeddingError) in
      try view.tableRecord(core.storage.name)
    }
    let filter = try admission.committedFilter(in: view.transaction)?.statistics
    let configuration = record.configuration
    return LifeReport(
      counted: filter?.distinctIDs, admitted: Int(record.life.admitted),
      onProbation: Int(record.life.onProbation),
      promoted: admission.cutoff > 0 ? Int(record.life.promoted) : nil,
      forgotten: Int(record.life.forgotten),
      shared: shared.map {
        LifeReport.Shared(used: Int($0.rowCount), total: configuration.sharedRows)
      },
      filter: filter.map {
        LifeReport.Filter(
          bytes: $0.bytes, fill: $0.fill, falsePositiveRate: $0.falsePositiveRate,
          layers: $0.layers, expectedIDs: configuration.admission.expectedIDs)
      })
  }

  private func storageReport() throws(EmbeddingError) -> StorageReport {
    try checkOpen()
    let readers = try environment.readers()
    let statistics = try environment.statistics()
    let last = statistics.lastTransactionID
    return StorageReport(
      mapSize: statistics.mapSize, pageSize: statistics.pageSize, fileSize: statistics.fileSize,
      usedPages: statistics.lastPage + 1 - statistics.freePages, freePages: statistics.freePages,
      readers: readers.map { reader in
        ReaderReport(
          process: reader.process, lag: reader.transactionID.map { last - min($0, last) })
      },
      maximumReaders: statistics.maxReaders, oldestReaderLag: statistics.oldestReaderLag,
      lastTransaction: last, libraryVersion: statistics.libraryVersion,
      libraryWarning: statistics.versionWarning)
  }
}
