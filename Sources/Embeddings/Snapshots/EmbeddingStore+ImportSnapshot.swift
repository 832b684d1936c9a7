import Snapshots
public import StorageBase

extension EmbeddingStore {
  /// Takes in the rows of a snapshot, all or nothing, in memory that does not grow with the file
  /// (see ``EmbeddingTable/importRows(_:from:)``).
  ///
  /// Vectors, slots, frequencies and last steps come in bit for bit: training that goes on from an
  /// import into an empty table of the same configuration gives the rows that it would have given
  /// without the interruption. The database does not take over the snapshot's commit point; commit
  /// the step of the summary's `description.point`, or a later one.
  ///
  /// The rows of a file come in the order of their ids; they are laid out by frequency, so that those
  /// which are trained often share blocks. That takes one pass, and 4 MiB for each power of two that
  /// the frequencies reach, at most 260 MiB, however large the file is; standard input as well.
  ///
  /// What must agree: dimension and id type; the name of the optimizer and the number of its slots,
  /// unless vectors alone are taken; initializer and seed, from which ids without rows get their
  /// vectors (see ``SnapshotImportOptions/acceptsOtherInitialVectors``). Another learning rate, or
  /// other hyper-parameters of the optimizer, are taken, since a schedule changes them, and named in
  /// the summary's ``SnapshotImportSummary/notes``: training goes on with those of the table.
  /// Every checksum of the file is compared before anything becomes durable.
  ///
  /// Where ids have to earn their rows (``TableConfiguration/admission``,
  /// ``TableConfiguration/cutoff``), the state of the admission filter, what became of ids, and the
  /// shared rows come in too, if the table is new - nothing was counted and trained - and of the same
  /// admission, cutoff, shared rows and counting: an id that was about to be admitted still is. Else
  /// the rows come in alone, and a note of the summary says why.
  ///
  /// - Parameters:
  ///   - path: the file, or `-` for standard input; deltas are refused.
  ///   - options: what happens to rows that exist, and what is taken.
  ///   - progress: told after every block. The figures begin anew where the import does.
  /// - Throws: ``EmbeddingError/Code/configurationMismatch`` naming both values;
  ///   ``EmbeddingError/Code/corruption``; ``EmbeddingError/Code/unsupportedFormat`` for what is no
  ///   snapshot; ``EmbeddingError/Code/alreadyExists`` (see ``ImportOptions/Existing/refuse``);
  ///   ``EmbeddingError/Code/mapFull`` where an import from a stream would have to begin anew.
  @discardableResult
  public func importSnapshot(
    _ path: String, _ options: SnapshotImportOptions = SnapshotImportOptions(),
    progress: ((FileProgress) -> Void)? = nil
  ) throws(EmbeddingError) -> SnapshotImportSummary {
    let configuration = configuration
    var description: SnapshotDescription?
    var current: SnapshotStream?
    var notes: [String] = []
    var includesLife = false
    let takesSections =
      (self as? EmbeddingTable)?.core.admission != nil && !options.vectorsOnly
    var isStream = false
    var opened: SnapshotStream? = try SnapshotStream(path: path)
    if let delta = opened, delta.description.isDelta {
      return try importDelta(delta, path, options, progress: progress)
    }
    let rowsPerBlock = (self as? EmbeddingTable)?.core.storage.layout.rowsPerBlock ?? 1
    func source() throws(EmbeddingError) -> RowSource {
      if isStream { throw mustBeginAnew(path) }
      let stream = if let opened { opened } else { try SnapshotStream(path: path) }
      opened = nil
      isStream = stream.totalBytes == nil
      notes = try stream.description.checkFit(configuration, options, file: stream.name)
      description = stream.description
      current = stream
      stream.stopsAtSections = takesSections
      return rowSource(
        stream, vectorsOnly: options.vectorsOnly, rowsPerBlock: rowsPerBlock, progress)
    }
    let importOptions = ImportOptions(existing: options.existing, step: options.step)
    let rows: ImportSummary
    if let table = self as? EmbeddingTable {
      rows = try table.importRows(
        importOptions,
        leadingTo: { taken in
          if let note = taken?.note { notes.append(note) }
          includesLife = taken?.counts != nil
          let isOther =
            taken?.note != nil
            || !takesSections && current?.sectionNames.contains(SnapshotSection.life) == true
          guard !isOther else { return nil }
          return description.flatMap { $0.identity(in: configuration, options) }
        }, sections: takesSections ? SnapshotSections { current } : nil,
        from: source)
    } else {
      rows = try importRows(importOptions, from: source)
    }
    guard let description else { preconditionFailure("an import without its source") }
    if !takesSections, current?.sectionNames.contains(SnapshotSection.life) == true {
      notes.append(
        "\(path) is of a table in which ids have to earn their rows: the rows came in without its "
          + "admission filter and shared rows")
    }
    return SnapshotImportSummary(
      rows: rows, description: description, notes: notes, includesLife: includesLife)
  }
}

/// The rows of a stream by frequency, as an import takes them.
private func rowSource(
  _ stream: SnapshotStream, vectorsOnly: Bool, rowsPerBlock: Int,
  _ progress: ((FileProgress) -> Void)?
) -> RowSource {
  let description = stream.description
  var runs = FrequencyRuns(
    RowBatch(
      idType: description.idType, dimension: description.dimension,
      slotCount: description.storedSlotCount), rowsPerBlock: rowsPerBlock)
  return { (batch, _) throws(EmbeddingError) -> Bool in
    let hasRows = try runs.next(into: &batch) { (batch) throws(EmbeddingError) -> Bool in
      // Nil after the last block, once the rest of the file has proven right; else this throws, and
      // the transaction with all rows is given up.
      guard try stream.next(into: &batch) != nil else { return false }
      progress?(
        FileProgress(
          rows: Int(stream.rowCount), bytes: stream.bytesRead, totalBytes: stream.totalBytes))
      return true
    }
    if vectorsOnly {
      batch.slots = []
      batch.frequencies = []
      batch.lastSteps = []
    }
    return hasRows
  }
}
