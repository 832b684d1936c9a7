import Snapshots
import StorageBase

/// The state of a table that a delta begins from.
struct DeltaBase {
  /// How the delta names it.
  let state: SnapshotDescription.Base
  /// Rows of later generations have changed since.
  let generation: UInt64

  /// Finds the state in the log of a table's commits.
  ///
  /// - Parameter description: what the delta is, but for its base.
  init(
    _ since: SnapshotBase, of table: borrowing CommittedTable, _ description: SnapshotDescription
  ) throws(EmbeddingError) {
    let found: CommitLog.Entry
    switch since {
    case .step(let step):
      found = try Self.find(step, table, description)
      state = SnapshotDescription.Base(identity: found.identity, point: found.point)
    case .snapshot(let path):
      let base = try inspectSnapshot(path)
      try Self.check(base, path, description)
      found = try Self.find(base, path, table, description)
      state = base.state
    }
    generation = found.generation
  }

  private static func find(
    _ step: Int64, _ table: borrowing CommittedTable, _ description: SnapshotDescription
  ) throws(EmbeddingError) -> CommitLog.Entry {
    guard step <= description.point.step else {
      throw EmbeddingError(
        .invalidArgument,
        "A delta cannot begin from step \(step): the last commit is at \(description.point). Name a "
          + "step that is committed.")
    }
    let log = CommitLog(storage: table.storage)
    let point = CommitPoint(step: step)
    let found = try log.last(in: table.view.transaction) { $0.point.precedes(orEquals: point) }
    if let found { return found }
    throw EmbeddingError(
      .notFound,
      "What changed in table \(description.table) since step \(step) is not known any more. "
        + (try remedy(table)))
  }

  private static func find(
    _ base: SnapshotDescription, _ path: String, _ table: borrowing CommittedTable,
    _ description: SnapshotDescription
  ) throws(EmbeddingError) -> CommitLog.Entry {
    let log = CommitLog(storage: table.storage)
    let found = try log.last(in: table.view.transaction) { $0.identity == base.identity }
    if let found { return found }
    guard let oldest = try log.first(in: table.view.transaction),
      base.point.precedes(orEquals: oldest.point), base.point != oldest.point
    else {
      throw EmbeddingError(
        .configurationMismatch,
        "\(path) holds \(base.state), which table \(description.table) (\(description.state)) never "
          + "was: it is of another table, or of a copy that was trained on by itself. Name a snapshot "
          + "of this table, or export it in full.")
    }
    throw EmbeddingError(
      .notFound,
      "What changed in table \(description.table) since \(path) (\(base.state)) is not known any "
        + "more. " + (try remedy(table)))
  }

  private static func remedy(
    _ table: borrowing CommittedTable
  ) throws(EmbeddingError) -> String {
    let log = CommitLog(storage: table.storage)
    guard let oldest = try log.first(in: table.view.transaction) else {
      throw table.storage.corruption("the log of its commits is empty")
    }
    // A state within a step is reached by the number of the next one.
    let step = oldest.point.batches == 0 ? oldest.point.step : oldest.point.step + 1
    return "Deltas can begin from step \(step) on; for what is older, export the whole table."
  }

  /// Refuses a base whose rows are not stored as the delta's will be.
  private static func check(
    _ base: SnapshotDescription, _ path: String, _ description: SnapshotDescription
  ) throws(EmbeddingError) {
    guard let difference = description.difference(from: base) else { return }
    throw EmbeddingError(
      .configurationMismatch,
      "A delta would not fit \(path): \(difference). Export it as that snapshot was (encoding, "
        + "slots), from the table that it is of.")
  }
}
