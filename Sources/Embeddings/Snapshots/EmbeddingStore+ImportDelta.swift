import Snapshots
import StorageBase

extension EmbeddingStore {
  /// Takes in a delta, where the store knows which state it is in.
  ///
  /// - Parameter first: the delta, opened.
  func importDelta(
    _ first: SnapshotStream, _ path: String, _ options: SnapshotImportOptions,
    progress: ((FileProgress) -> Void)?
  ) throws(EmbeddingError) -> SnapshotImportSummary {
    let description = first.description
    guard let table = self as? EmbeddingTable else {
      throw EmbeddingError(
        .invalidArgument,
        "\(first.name) is a delta, which only a table of a database takes in: it knows which state "
          + "it is in. Merge it with the snapshot that it applies to ('embstore merge').")
    }
    let notes = try description.checkDelta(table.configuration, options, file: first.name)
    var opened: SnapshotStream? = first
    let summary = try table.importDelta(description, file: first.name) {
      () throws(EmbeddingError) -> SnapshotStream in
      let stream: SnapshotStream
      if let first = opened {
        stream = first
      } else {
        if first.totalBytes == nil { throw mustBeginAnew(path) }
        stream = try SnapshotStream(path: path)
        guard stream.description == description else {
          throw EmbeddingError(
            .io, "\(path) became another file while it was imported; nothing was imported.")
        }
      }
      opened = nil
      return stream
    } progress: { (stream) in
      progress?(
        FileProgress(
          rows: Int(stream.rowCount), bytes: stream.bytesRead, totalBytes: stream.totalBytes))
    }
    guard let summary else {
      return SnapshotImportSummary(
        rows: ImportSummary(), description: description, wasApplied: true)
    }
    return SnapshotImportSummary(
      rows: summary.rows, description: description, deleted: summary.deleted, notes: notes,
      includesLife: summary.includesLife)
  }
}

extension SnapshotDescription {
  /// Refuses a delta that cannot be taken in exactly: its rows replace rows, and bring the table to
  /// a state that has a name. Returns what else differs.
  fileprivate func checkDelta(
    _ configuration: TableConfiguration, _ options: SnapshotImportOptions, file: String
  ) throws(EmbeddingError) -> [String] {
    guard options.existing == .replace, !options.vectorsOnly else {
      throw EmbeddingError(
        .invalidArgument,
        "\(file) is a delta, whose rows replace those that they were: it is taken whole. Import it "
          + "without saying what happens to rows that exist, and not its vectors only.")
    }
    guard !isLossy, includesSlots || slotCount == 0 else {
      throw EmbeddingError(
        .configurationMismatch,
        "\(file) was stored with loss or without optimizer slots, for serving; a table takes only "
          + "exact deltas. Merge it with the snapshot that it applies to ('embstore merge').")
    }
    let notes = try checkRows(configuration, options, file: file)
    guard seed == configuration.seed, initializer == configuration.initializer.name,
      initializerParameters == configuration.initializer.parameters
    else {
      throw EmbeddingError(
        .configurationMismatch,
        "\(file) has the initializer \(initializer), seed \(seed), the table "
          + "\(configuration.initializer.name), seed \(configuration.seed), or other parameters of "
          + "it: ids without rows would read otherwise. Import it into a table of its own kind.")
    }
    return notes
  }
}
