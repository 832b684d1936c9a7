import Exchange
public import StorageBase

extension EmbeddingStore {
  /// Writes all rows to a file, which appears under its name whole or not at all.
  ///
  /// An ``EmbeddingTable`` writes its last commit, whatever is trained meanwhile; what was not
  /// committed is left out. Vectors are written bit for bit: text with as many digits as bring back
  /// the same float. Frequencies go to a vocabulary file if one is asked for; optimizer slots have
  /// no place in these formats.
  ///
  /// The memory needed is one batch's (at most some 16 MiB and one row), and for
  /// ``FileExportOptions/Order/frequency`` what it says there.
  ///
  /// - Parameters:
  ///   - path: the file, or `-` for standard output; existing ones are replaced.
  ///   - options: format, order and what stands beside the file.
  ///   - progress: told after every batch.
  /// - Throws: ``EmbeddingError/Code/invalidArgument`` for ids that the format cannot hold (spaces
  ///   in a format of words, byte strings in TFRA) and for a name that says no format;
  ///   ``EmbeddingError/Code/corruption``, ``EmbeddingError/Code/diskFull``,
  ///   ``EmbeddingError/Code/io``.
  @discardableResult
  public func exportFile(
    _ path: String, _ options: FileExportOptions = FileExportOptions(),
    progress: ((FileProgress) -> Void)? = nil
  ) throws(EmbeddingError) -> ExportSummary {
    guard let format = options.format ?? FileFormat.named(by: path) else {
      throw EmbeddingError(
        .invalidArgument,
        "The name \(path) says no format. Name one of "
          + FileFormat.allCases.map(\.rawValue).joined(separator: ", ") + ".")
    }
    let export = FileExport(
      path: path, format: format, options: options, configuration: configuration,
      progress: progress)
    if let table = self as? EmbeddingTable {
      return try export.write(table)
    }
    return try export.write(self)
  }
}

/// One export on its way.
struct FileExport {
  let path: String
  let format: FileFormat
  let options: FileExportOptions
  let configuration: TableConfiguration
  let progress: ((FileProgress) -> Void)?

  /// Rows in a batch: some 16 MiB of vectors.
  private var batchRows: Int { max(1, min(8192, (16 << 20) / (4 * configuration.dimension))) }

  /// Writes the last commit of a table.
  func write(_ table: EmbeddingTable) throws(EmbeddingError) -> ExportSummary {
    let rows = try CommittedTable(table)
    try write(count: rows.count) {
      (body: (borrowing RowBatch) throws(EmbeddingError) -> Bool) throws(EmbeddingError) in
      switch options.order {
      case .row: try rows.view.forEachBatch(of: table, ofAtMost: batchRows, body)
      case .frequency: try rows.forEachBatchByFrequency(ofAtMost: batchRows, body)
      }
    }
    return ExportSummary(rows: rows.count, format: format, commit: rows.view.point)
  }

  /// Writes any store.
  func write(_ store: some EmbeddingStore) throws(EmbeddingError) -> ExportSummary {
    let count = try store.count
    try write(count: count) {
      (body: (borrowing RowBatch) throws(EmbeddingError) -> Bool) throws(EmbeddingError) in
      switch options.order {
      case .row: try store.forEachBatch(ofAtMost: batchRows, includingSlots: false, body)
      case .frequency: try store.forEachBatchByFrequency(ofAtMost: batchRows, body)
      }
    }
    return ExportSummary(rows: count, format: format)
  }

  private func write(
    count: Int,
    _ forEachBatch: (
      (borrowing RowBatch) throws(EmbeddingError) -> Bool
    ) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    let isOfWords =
      switch format {
      case .word2vecText, .word2vecBinary, .glove, .fastText: true
      case .npy, .safetensors, .tfra: false
      }
    guard isOfWords || options.vocabularyPath == nil else {
      throw EmbeddingError(
        .invalidArgument,
        "A vocabulary file stands beside word2vec, GloVe or fastText; \(format) has none.")
    }
    let writer = try openRowWriter(
      path: path, format: format.exchange, count: count, dimension: configuration.dimension,
      idType: configuration.idType, options: options.writerOptions)
    var rows = 0
    try forEachBatch { (batch) throws(EmbeddingError) -> Bool in
      try writer.write(batch)
      rows += batch.count
      progress?(FileProgress(rows: rows, totalRows: count))
      return true
    }
    try writer.finish()
  }
}
