import TestSupport
import Testing

@testable import Embeddings

/// A database and a model of it, side by side: each random operation is done to both, and whatever
/// comes back is compared.
///
/// The model knows two states of each table: the live one and that of the last commit. A commit that
/// the database makes by itself shows in its generation, and must hold exactly the batches before
/// the call that found it.
final class ModelRun {
  /// One table in the model.
  struct Table {
    let name: String
    let ids: [EmbeddingID]
    var live: ReferenceTable
    var committed: ReferenceTable
    /// Ids that may differ between the two.
    var changed: Set<EmbeddingID> = []

    mutating func commit() {
      for id in changed { committed.rows[id] = live.rows[id] }
      changed = []
    }

    mutating func abort() {
      for id in changed { live.rows[id] = committed.rows[id] }
      changed = []
    }
  }

  let seed: Int
  let directory = TemporaryDirectory()
  var random: SeededGenerator
  var models: [Table]
  var options: EmbeddingDatabase.Options
  var database: EmbeddingDatabase!
  var tables: [EmbeddingTable] = []
  /// What the database's commits should stand for.
  var live = CommitPoint()
  var committed = CommitPoint()
  var openStep: Int64 = 0
  var step: Int64 = 0
  var generation: UInt64 = 0
  /// What happened how often, to see that the run met everything.
  var tally: [String: Int] = [:]

  init(seed: Int) throws {
    self.seed = seed
    random = SeededGenerator(seed: UInt64(bitPattern: Int64(seed)))
    options = EmbeddingDatabase.Options(
      cacheBudget: [128 << 10, 192 << 10, 1 << 20].randomElement(using: &random)!,
      durability: .noSync, mapSize: 64 << 10)
    models = Self.makeModels(&random)
    try open()
  }

  private static func makeModels(_ random: inout SeededGenerator) -> [Table] {
    let numbers = TableConfiguration(
      dimension: 5, idType: .int64, seed: 7, optimizer: .adagrad(learningRate: 0.1))
    let words = TableConfiguration(
      dimension: 12, idType: .bytes, initializer: .normal(), optimizer: .sgd(learningRate: 0.5))
    let numberIDs = (0..<2500).map { i in
      EmbeddingID.int64(
        [.min, .max, 0, -1][safe: i] ?? Int64.random(in: -5000...5000, using: &random))
    }
    let wordIDs = (0..<1500).map { i in
      let count = i % 200 == 0 ? 3000 : 1 + i % 40
      return EmbeddingID.bytes((0..<count).map { _ in UInt8.random(in: 0...255, using: &random) })
    }
    return [("numbers", numbers, numberIDs), ("words", words, wordIDs)].map { name, what, ids in
      let empty = ReferenceTable(what)
      return Table(name: name, ids: ids, live: empty, committed: empty)
    }
  }

  private func open() throws {
    tables = []
    database = try EmbeddingDatabase(at: directory.path + "/db", options: options)
    for model in models {
      tables.append(try database.table(model.name, model.live.configuration))
    }
    generation = try currentGeneration()
  }

  private func currentGeneration() throws -> UInt64 {
    try database.read { (view) in view.generation }
  }

  /// Counts an event.
  func note(_ event: String) { tally[event, default: 0] += 1 }

  /// Draws up to `most` ids, with some of them more than once, some ids more often than others.
  func drawIDs(_ t: Int, atMost most: Int = 60) -> [EmbeddingID] {
    let all = models[t].ids
    return (0..<Int.random(in: 0...most, using: &random)).map { _ in
      let u = Double.random(in: 0..<1, using: &random)
      return all[Int(u * u * Double(all.count))]
    }
  }

  /// Takes note of a commit that the database made by itself since it was last looked at.
  func followCommits() throws {
    let now = try currentGeneration()
    guard now != generation else { return }
    generation = now
    note("commit by itself")
    flush()
    let last = try database.lastCommit
    try #require(last == committed, "the database is at \(last), the model at \(committed)")
  }

  /// The live state is committed.
  func flush() {
    for t in models.indices { models[t].commit() }
    committed = live
  }

  /// An explicit commit.
  func commit() throws {
    if random.oneIn(3) { step += 1 }
    try database.commit(step: step)
    live = CommitPoint(step: step)
    openStep = max(openStep, step)
    flush()
    generation = try currentGeneration()
    let last = try database.lastCommit
    try #require(last == committed, "the database is at \(last), the model at \(committed)")
    if step > 0, random.oneIn(4) {
      _ = try #require(throws: EmbeddingError.self) {
        try self.database.commit(step: self.step - 1)
      }
    }
  }

  /// Closes and opens again: all that was not committed is forgotten.
  func reopen() throws {
    if random.oneIn(2) { try commit() }
    try database.close()
    if random.oneIn(4) {
      options.cacheBudget = [128 << 10, 192 << 10, 1 << 20].randomElement(using: &random)!
    }
    try open()
    for t in models.indices { models[t].abort() }
    live = committed
    openStep = committed.step
    step = max(committed.step, step)
    let last = try database.lastCommit
    try #require(last == committed, "the database is at \(last), the model at \(committed)")
    for (model, table) in zip(models, tables) {
      try #require(try table.count == model.live.rows.count)
      try #require(try brokenInvariant(of: table) == nil)
    }
  }

  /// What an update of `step` does to the point of training.
  func begin(_ step: Int64) {
    guard step > openStep else { return }
    if openStep > live.step { live = CommitPoint(step: openStep) }
    openStep = step
  }
}

extension Array {
  fileprivate subscript(safe index: Int) -> Element? {
    indices.contains(index) ? self[index] : nil
  }
}
