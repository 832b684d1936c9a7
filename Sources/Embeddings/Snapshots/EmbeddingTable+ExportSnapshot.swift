import Snapshots
public import StorageBase

extension EmbeddingTable {
  /// Writes the last commit as a snapshot, which appears under its name whole or not at all: all
  /// rows, or as a delta what changed since a state before.
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
  /// A delta (``SnapshotExportOptions/since``) has the rows that were written after that state and the
  /// ids deleted after it. Its cost follows their number, not the size of the table; blocks that did
  /// not change are not read. The database keeps what it takes for the last 65,536 commits, and for as
  /// many deletions as the table has rows, or a million. ``mergeSnapshots(_:_:into:)`` of the base and
  /// the delta gives the full snapshot of this commit, byte for byte; ``importSnapshot(_:_:progress:)``
  /// takes the delta in where the base was imported.
  ///
  /// As long as it runs, the pages of its commit are not used again, and a commit for which the
  /// memory map has to grow waits for its end: open the database with a `mapSize` that suffices.
  ///
  ///     let summary = try words.exportSnapshot("words.embsnap")
  ///     print(summary.description.point, summary.file.rowCount)
  ///     // ... training goes on ...
  ///     try words.exportSnapshot(
  ///       "words.1.embsnap", SnapshotExportOptions(since: .snapshot("words.embsnap")))
  ///
  /// - Parameters:
  ///   - path: the file, or `-` for standard output; an existing one is replaced.
  ///   - options: encoding, slots, base of a delta, threads.
  ///   - progress: told every few ten thousand rows, in the calling thread.
  /// - Throws: ``EmbeddingError/Code/corruption`` where a block does not match its checksum, or ids
  ///   and rows disagree; ``EmbeddingError/Code/diskFull``, ``EmbeddingError/Code/io``. Of a delta
  ///   ``EmbeddingError/Code/notFound`` where the history does not reach back so far, and says from
  ///   which step on it does; ``EmbeddingError/Code/configurationMismatch`` for a base that is no
  ///   state of this table, or is stored in another way.
  @discardableResult
  public func exportSnapshot(
    _ path: String, _ options: SnapshotExportOptions = SnapshotExportOptions(),
    progress: ((FileProgress) -> Void)? = nil
  ) throws(EmbeddingError) -> SnapshotExportSummary {
    let rows = try CommittedTable(self)
    let record = try rows.view.tableRecord(name)
    var description = SnapshotDescription(
      table: name, record: record, point: rows.view.point, generation: rows.generation,
      options: options)
    let file: SnapshotSummary
    if let since = options.since {
      let base = try DeltaBase(since, of: rows, description)
      description.base = base.state
      file = try DeltaExport(
        path: path, description: description, threads: options.threads,
        generation: base.generation, progress: progress
      ).write(rows)
    } else {
      file = try SnapshotExport(
        path: path, description: description, threads: options.threads,
        blocks: try CommittedBlocks(rows), progress: progress
      ).write(rows)
    }
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
    life = SnapshotLife(record)?.content ?? []
  }
}
