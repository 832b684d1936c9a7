import Snapshots
public import StorageBase

extension EmbeddingTable {
  /// Writes all rows of the last commit as a snapshot, which appears under its name whole or not
  /// at all.
  ///
  /// It is exactly one commit, whatever is trained and committed meanwhile. Two exports of the same
  /// commit with the same options are equal byte for byte.
  ///
  /// The table is read twice: in the order of its blocks, whose checksums are all compared before a
  /// row is written, then in that of the ids, by several threads at once. The second pass meets the
  /// blocks in any order: fast where the table fits in the memory that the system caches files in,
  /// and at the speed of random reads where it does not. The memory needed is 8 bytes a block of
  /// rows and a few megabytes for each thread, however many rows there are.
  ///
  /// As long as it runs, the pages of its commit are not used again, and a commit for which the
  /// memory map has to grow waits for its end: open the database with a `mapSize` that suffices.
  ///
  ///     let summary = try words.exportSnapshot("words.embsnap")
  ///     print(summary.description.point, summary.file.rowCount)
  ///
  /// - Parameters:
  ///   - path: the file, or `-` for standard output; an existing one is replaced.
  ///   - options: encoding, slots, threads.
  ///   - progress: told every few ten thousand rows, in the calling thread.
  /// - Throws: ``EmbeddingError/Code/corruption`` where a block does not match its checksum, or ids
  ///   and rows disagree; ``EmbeddingError/Code/diskFull``, ``EmbeddingError/Code/io``.
  @discardableResult
  public func exportSnapshot(
    _ path: String, _ options: SnapshotExportOptions = SnapshotExportOptions(),
    progress: ((FileProgress) -> Void)? = nil
  ) throws(EmbeddingError) -> SnapshotExportSummary {
    let rows = try CommittedTable(self)
    let record = try rows.view.tableRecord(name)
    let blocks = try CommittedBlocks(rows)
    let description = SnapshotDescription(
      table: name, record: record, point: rows.view.point, generation: rows.generation,
      options: options)
    let file = try SnapshotExport(
      path: path, description: description, threads: options.threads, blocks: blocks,
      progress: progress
    ).write(rows)
    return SnapshotExportSummary(description: description, file: file)
  }
}

extension SnapshotDescription {
  /// Describes a commit of a table.
  init(
    table: String, record: TableRecord, point: CommitPoint, generation: UInt64,
    options: SnapshotExportOptions
  ) {
    let configuration = record.configuration
    self.init(
      identity: record.history.identity, table: table, idType: configuration.idType,
      dimension: configuration.dimension, slotCount: configuration.slotCount,
      seed: configuration.seed, initializer: configuration.initializer.name,
      initializerParameters: configuration.initializer.parameters,
      optimizer: configuration.optimizer.name,
      learningRate: configuration.optimizer.learningRate,
      hyperparameters: configuration.optimizer.hyperparameters, encoding: options.encoding,
      includesSlots: options.includesSlots, point: point, generation: generation)
  }
}
