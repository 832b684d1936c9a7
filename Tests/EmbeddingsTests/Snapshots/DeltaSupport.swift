import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Embeddings

/// A table that is trained at random and exported at every commit: in full, and as the delta since
/// the commit before.
struct DeltaHistory {
  let scratch: Scratch
  let kind: SnapshotKind
  let table: EmbeddingTable
  private(set) var commits = 0
  private var random: SeededGenerator

  static let ids = 3000

  init(_ scratch: Scratch, _ kind: SnapshotKind, seed: UInt64) throws {
    self.scratch = scratch
    self.kind = kind
    random = SeededGenerator(seed: seed)
    table = try scratch.open(budget: 4 << 20).table("t", kind.configuration())
  }

  var database: EmbeddingDatabase { table.database }

  /// The full snapshot of commit `number`, from 1.
  func full(_ number: Int) -> String { scratch.file("full\(number)") }
  /// The delta from commit `first` to commit `last`.
  func delta(_ first: Int, _ last: Int) -> String { scratch.file("delta\(first)-\(last)") }

  /// Trains, adds, deletes and brings back rows, commits, and exports.
  mutating func commit() throws {
    let step = Int64(commits + 1)
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      let ids = kind.column(numbers(Int.random(in: 1...200, using: &random)))
      let floats = random.floats(ids.count * kind.configuration().dimension)
      switch Int.random(in: 0..<6, using: &random) {
      case 0...1: try table.delete(ids.batch)
      case 2:
        // Back within the commit in which they go.
        try table.delete(ids.batch)
        try table.assign(ids, vectors: floats, step: step)
      case 3: try table.addFrequency(ids.batch)
      default: try table.update(ids, gradients: floats, step: step)
      }
    }
    try database.commit(step: step)
    commits += 1
    try table.exportSnapshot(full(commits))
    guard commits > 1 else { return }
    // By the step, or by the file.
    let since: SnapshotBase =
      random.oneIn(2) ? .step(step - 1) : .snapshot(full(commits - 1))
    try table.exportSnapshot(delta(commits - 1, commits), .init(since: since))
  }

  private mutating func numbers(_ count: Int) -> [Int] {
    let start = Int.random(in: 0..<Self.ids, using: &random)
    // Neighbors, or any; now and then the newest rows, which stand at the end.
    if random.oneIn(3) { return (start..<start + count).map { $0 % Self.ids } }
    return (0..<count).map { _ in Int.random(in: 0..<Self.ids, using: &random) }
  }
}

extension EmbeddingTable {
  /// The state that the last commit is in.
  var identity: SnapshotIdentity { core.state.withLock { $0.record.history.identity } }
}
