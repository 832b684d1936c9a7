import LMDB
import Snapshots
import StorageBase
import Synchronization

/// What taking in a delta did.
struct DeltaSummary {
  var rows: ImportSummary
  /// Rows that were deleted.
  var deleted: Int
  /// Whether filter, counts and shared rows came in.
  var includesLife: Bool
}

extension EmbeddingTable {
  /// Takes in a delta, in one transaction: all or nothing. What was trained before is committed
  /// first.
  ///
  /// - Parameters:
  ///   - description: what the delta is.
  ///   - open: opens it; called again where the memory map had to grow.
  /// - Returns: nil where the table is in the state already that the delta leads to.
  func importDelta(
    _ description: SnapshotDescription, file: String,
    limits: ImportLimits? = nil, removal: RowRemoval.Limits = RowRemoval.Limits(),
    open: () throws(EmbeddingError) -> SnapshotStream,
    progress: @escaping (SnapshotStream) -> Void
  ) throws(EmbeddingError) -> DeltaSummary? {
    try database.checkWritable("import")
    let limits = limits ?? ImportLimits().within(cache.budget)
    return try database.alone { () throws(EmbeddingError) -> DeltaSummary? in
      try database.commitAlone(as: database.state.withLock { $0.live })
      let history = core.state.withLock { $0.record.history }
      if history.identity == description.identity { return nil }
      guard let base = description.base, base.identity == history.identity else {
        throw try refusal(of: description, file: file, history)
      }
      var opened: SnapshotStream?
      let sections = core.admission == nil ? nil : SnapshotSections { opened }
      let (result, changed) = try database.writeTables(tables(with: sections)) {
        (transaction, before, stamp) throws(EmbeddingError)
          -> ((DeltaSummary, SectionImport.Taken?), [TableRecord]) in
        let stream = try open()
        stream.stopsAtSections = sections != nil
        opened = stream
        let delta = DeltaRows(stream, progress)
        var importer = try TableImport(
          table: core, record: before[0], stamp: stamp, options: ImportOptions(existing: .replace),
          limits: limits, in: transaction)
        try importer.run(delta.source, in: transaction)
        // Its rows are in the table; now those go whose ids it deletes.
        var removed = RowSet(rowCount: importer.rowCount)
        while let ids = try delta.nextDeletions() {
          try insertRows(of: ids, into: &removed, in: transaction)
        }
        try importer.remove(
          RowRemoval(removed, from: storage, limits: removal), in: transaction)
        let taken = try sections?.take(
          into: core, before, stamp, limits: limits, in: transaction)
        if sections == nil, stream.sectionNames.contains(SnapshotSection.life) {
          throw EmbeddingError(
            .configurationMismatch,
            "\(file) is of a table in which ids have to earn their rows, in table \(name) all get one: "
              + "it cannot take the delta whole. Nothing was imported.")
        }
        let (rows, record) = try importer.finish(
          identity: description.identity, isExact: true, in: transaction)
        return (
          (
            DeltaSummary(
              rows: rows, deleted: removed.count, includesLife: taken?.counts != nil), taken
          ),
          Self.records(record, taken, before: before)
        )
      }
      takeOver(changed, result.1)
      return result.0
    }
  }

  /// Adds the rows of those ids that have one, looked up in the order of the tree.
  private func insertRows(
    of column: IDColumn, into rows: inout RowSet, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    try column.batch.withUnsafeIDs { (ids) throws(EmbeddingError) in
      // Those of a snapshot stand in it already.
      for i in 0..<ids.count {
        if let row = try storage.row(of: RowKey(ids, i), in: transaction) { rows.insert(row) }
      }
    }
  }

  /// Says why a delta of another state is refused.
  private func refusal(
    of delta: SnapshotDescription, file: String, _ history: TableHistory
  ) throws(EmbeddingError) -> EmbeddingError {
    let commit = try database.read { (view) throws(EmbeddingError) in
      try CommitLog(storage: storage).commit(history.generation, in: view.transaction)
    }
    let state = SnapshotDescription.Base(
      identity: history.identity, point: commit?.point ?? CommitPoint())
    return EmbeddingError(
      .configurationMismatch,
      "\(file) applies to \(delta.base.map { "\($0)" } ?? "nothing") and leads to \(delta.state), but "
        + "table \(name) is in state \(state); nothing was imported. Import deltas in their order, "
        + "without gaps, into a table that only takes in snapshots: one that was trained or changed "
        + "since has a history of its own. To begin anew, import the full snapshot into an empty "
        + "table.")
  }
}

/// The rows of a delta, and then the ids that it deletes.
private final class DeltaRows {
  private let stream: SnapshotStream
  private let progress: (SnapshotStream) -> Void
  /// What comes after the rows.
  private var deletions: IDColumn?

  init(_ stream: SnapshotStream, _ progress: @escaping (SnapshotStream) -> Void) {
    self.stream = stream
    self.progress = progress
  }

  /// The rows, a block at a time.
  var source: RowSource {
    { [self] (batch, _) throws(EmbeddingError) -> Bool in
      let content = try stream.next(into: &batch)
      progress(stream)
      if content == .rows { return true }
      if content == .deletions { deletions = batch.ids }
      batch.removeAll()
      return false
    }
  }

  /// The next deleted ids; nil after the last, once the rest of the file has proven right.
  func nextDeletions() throws(EmbeddingError) -> IDColumn? {
    guard let current = deletions else { return nil }
    var batch = RowBatch(idType: current.type, dimension: 1)
    let content = try stream.next(into: &batch)
    deletions = content == nil ? nil : batch.ids
    progress(stream)
    return current
  }
}
