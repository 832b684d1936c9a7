import Snapshots
import StorageBase

extension EmbeddingStore {
  /// Takes in a delta, where the store knows which state it is in.
  func importDelta(
    _ delta: SnapshotStream, _ path: String, _ options: SnapshotImportOptions,
    progress: ((FileProgress) -> Void)?
  ) throws(EmbeddingError) -> SnapshotImportSummary {
    try delta.description.refuseDelta(file: delta.name)
    preconditionFailure("not a delta")
  }
}
