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
      // A database of its own goes on from the snapshot's step.
      if target.isNewDatabase, !vectorsOnly {
        try target.table.database.commit(step: summary.description.point.step)
      }
      return summary
    }
    for note in summary.notes { complain("warning: \(note).") }
    try tell(summary.rows, target)
    try target.table.database.close()
  }
}
