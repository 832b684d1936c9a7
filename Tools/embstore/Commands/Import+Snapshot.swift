import ArgumentParser
import Embeddings

extension Import {
  /// Takes in a snapshot.
  func importSnapshot() throws {
    guard ids == nil, tensor == nil, vocabulary == nil, idType == nil, limit == nil else {
      throw ValidationError(
        "A snapshot says itself what it is, and is taken whole. Leave out --ids, --tensor, "
          + "--vocabulary, --id-type and --limit.")
    }
    let options = SnapshotImportOptions(
      existing: existing.option, vectorsOnly: vectorsOnly, acceptsLossy: acceptLossy,
      acceptsOtherInitialVectors: acceptOtherInitializer, step: step)
    let target = try open { () throws(EmbeddingError) -> Wanted in
      let found = try inspectSnapshot(file)
      return Wanted(name: found.table, configuration: try found.configuration())
    }
    let summary = try take(target) {
      (progress: @escaping (FileProgress) -> Void) throws(EmbeddingError) -> SnapshotImportSummary
      in
      let summary = try target.table.importSnapshot(file, options, progress: progress)
      try takeOverStep(of: summary.description, target)
      return summary
    }
    for note in summary.notes { complain("warning: \(note).") }
    if summary.description.isDelta {
      try tell(delta: summary, target)
    } else {
      try tell(summary.rows, target)
    }
    try target.table.database.close()
  }

  /// A database of the snapshot's own goes on from its step.
  private func takeOverStep(
    of snapshot: SnapshotDescription, _ target: Target
  ) throws(EmbeddingError) {
    let database = target.table.database
    let tables = try database.tableNames.count
    let isItsOwn = target.isNewDatabase || (snapshot.isDelta && tables == 1)
    let last = try database.lastCommit
    guard isItsOwn, !vectorsOnly, last.step <= snapshot.point.step else { return }
    try database.commit(step: snapshot.point.step)
  }

  private func tell(delta summary: SnapshotImportSummary, _ target: Target) throws {
    let (table, rows) = (target.table, summary.rows)
    let total = try table.count
    let text =
      summary.wasApplied
      ? "Table \(table.name) is as of \(summary.description.point) already, which the delta "
        + "\(baseName(file)) leads to: nothing to do."
      : "Applied the delta \(baseName(file)) to table \(table.name): \(grouped(rows.inserted)) new, "
        + "\(grouped(rows.replaced)) replaced, \(grouped(summary.deleted)) deleted; it has "
        + "\(counted(total, "row")), as of \(summary.description.point)."
    try report(
      text,
      .object([
        ("database", .string(database.database)), ("table", .string(table.name)),
        ("created", .bool(target.isNewTable)), ("inserted", .integer(rows.inserted)),
        ("replaced", .integer(rows.replaced)), ("deleted", .integer(summary.deleted)),
        ("applied_before", .bool(summary.wasApplied)), ("rows", .integer(total)),
        ("identity", .string(summary.description.identity.description)),
        ("step", .integer(summary.description.point.step)),
        ("batches", .unsigned(summary.description.point.batches)),
      ]), asJSON: output.json)
  }
}
