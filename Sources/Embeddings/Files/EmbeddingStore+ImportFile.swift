import Exchange
public import StorageBase

extension EmbeddingStore {
  /// Takes in the rows of a file, all or nothing, in memory that does not grow with the file (see
  /// ``EmbeddingTable/importRows(_:from:)``; a store in memory holds all rows).
  ///
  /// Of equal ids in the file the first counts. Vectors come in bit for bit; NaN and infinity are
  /// refused. Where the memory map has to grow on the way, the file is read again from its
  /// beginning.
  ///
  /// - Parameters:
  ///   - path: the file, or `-` for standard input. Zstandard content is decompressed.
  ///   - options: what the file does not say itself.
  ///   - progress: told after every batch. The figures begin anew where the import does.
  /// - Throws: ``EmbeddingError/Code/configurationMismatch`` where dimension or id type are not the
  ///   table's; ``EmbeddingError/Code/malformedInput`` with line or byte offset;
  ///   ``EmbeddingError/Code/unsupportedFormat``; ``EmbeddingError/Code/alreadyExists`` (see
  ///   ``ImportOptions/Existing/refuse``); ``EmbeddingError/Code/mapFull`` where an import from a
  ///   stream would have to begin anew.
  @discardableResult
  public func importFile(
    _ path: String, _ options: FileImportOptions = FileImportOptions(),
    progress: ((FileProgress) -> Void)? = nil
  ) throws(EmbeddingError) -> ImportSummary {
    if let maximum = options.maximumRows, maximum < 0 {
      throw EmbeddingError(.invalidArgument, "At most \(maximum) rows cannot be imported.")
    }
    let configuration = configuration
    var isStream = path == "-"
    var hasBegun = false
    return try importRows(ImportOptions(existing: options.existing, step: options.step)) {
      () throws(EmbeddingError) -> RowSource in
      if hasBegun && isStream { throw mustBeginAnew(path) }
      hasBegun = true
      let reader = try openRowReader(
        path: path, options: options.readerOptions(for: configuration.idType))
      // A named pipe is a stream as well.
      isStream = isStream || reader.progress.totalBytes == nil
      try checkFit(reader, path, configuration)
      return rowSource(reader, maximumRows: options.maximumRows, progress: progress)
    }
  }
}

/// The rows of a reader, as an import takes them.
private func rowSource(
  _ reader: any RowReader, maximumRows: Int?, progress: ((FileProgress) -> Void)?
) -> RowSource {
  var rows = 0
  let total = reader.declaredCount.map { min($0, maximumRows ?? $0) }
  return { (batch, limit) throws(EmbeddingError) -> Bool in
    let limit = min(limit, (maximumRows ?? .max) - rows)
    guard limit > 0 else { return false }
    let count = try reader.read(into: &batch, limit: limit)
    rows += count
    if let progress {
      let read = reader.progress
      progress(
        FileProgress(
          rows: rows, totalRows: total, bytes: read.bytesRead, totalBytes: read.totalBytes))
    }
    return count > 0
  }
}

private func checkFit(
  _ reader: any RowReader, _ path: String, _ configuration: TableConfiguration
) throws(EmbeddingError) {
  let name = path == "-" ? "standard input" : path
  guard reader.dimension == configuration.dimension else {
    throw EmbeddingError(
      .configurationMismatch,
      "The vectors of \(name) have dimension \(reader.dimension), those of the table "
        + "\(configuration.dimension). Import the file into a table of its dimension.")
  }
  guard reader.idType == configuration.idType else {
    throw EmbeddingError(
      .configurationMismatch,
      "The ids of \(name) are of type \(reader.idType), those of the table "
        + "\(configuration.idType). "
        + "Import the file into a table of its id type, or name a file of other ids.")
  }
}

func mustBeginAnew(_ path: String) -> EmbeddingError {
  let name = path == "-" ? "standard input" : path
  return EmbeddingError(
    .mapFull,
    "The memory map grew during the import, which must begin anew, and \(name) can be read only "
      + "once; nothing was imported. Import from a file, or open the database with a larger "
      + "mapSize."
  )
}
