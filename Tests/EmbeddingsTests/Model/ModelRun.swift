import TestSupport
import Testing

@testable import Embeddings

/// A database and a model of it, side by side: each random operation is done to both, and whatever
/// comes back is compared.
///
/// The model knows the live state of each table, those that a commit was asked for and is not known to
/// have ended, and that of the last commit. A state that the database fixes by itself must hold
/// exactly the batches before the call that found it.
final class ModelRun {
  /// One table in the model.
  struct Table {
    let name: String
    let ids: [EmbeddingID]
    var live: ReferenceTable
    var committed: ReferenceTable
  }

  /// A state that is to be committed.
  struct Fix {
    let number: UInt64
    let point: CommitPoint
    let tables: [ReferenceTable]
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
  var fixes: [Fix] = []
  var lastFix: UInt64 = 0
  /// What happened how often, to see that the run met everything.
  var tally: [String: Int] = [:]

  /// Which tables a run has.
  enum Kind {
    /// Every id gets a row; the budget is small.
    case allAdmitted
    /// Ids have to be counted before they get a row; the budget is small.
    case counted
    /// Rows are on probation too; the budget is so large that none is forgotten, which the model does
    /// not know of.
    case onProbation
    /// Every id gets a row; rows are large, and those that wait for a commit overflow.
    case overflowing
  }
  let kind: Kind

  private var budgets: [Int] {
    switch kind {
    case .onProbation: [32 << 20]
    case .overflowing: [512 << 10, 640 << 10]
    default: [128 << 10, 192 << 10, 1 << 20]
    }
  }

  init(seed: Int, _ kind: Kind = .allAdmitted) throws {
    self.seed = seed
    self.kind = kind
    random = SeededGenerator(seed: UInt64(bitPattern: Int64(seed)))
    options = EmbeddingDatabase.Options(durability: .noSync, mapSize: 64 << 10)
    // Both ways that blocks may go.
    options.leavesBlocksToLMDB = seed % 3 == 0
    models = Self.makeModels(kind, &random)
    options.cacheBudget = budgets.randomElement(using: &random)!
    options.scratchLimit = kind == .overflowing ? 1 << 20 : 0
    try open()
  }

  private static func makeModels(_ kind: Kind, _ random: inout SeededGenerator) -> [Table] {
    var numbers = TableConfiguration(
      dimension: 5, idType: .int64, seed: 7, optimizer: .adagrad(learningRate: 0.1))
    var words = TableConfiguration(
      dimension: 12, idType: .bytes, initializer: .normal(), optimizer: .sgd(learningRate: 0.5))
    let numberIDs = (0..<2500).map { i in
      EmbeddingID.int64(
        [.min, .max, 0, -1][safe: i] ?? Int64.random(in: -5000...5000, using: &random))
    }
    let wordIDs = (0..<1500).map { i in
      let count = i % 200 == 0 ? 3000 : 1 + i % 40
      return EmbeddingID.bytes((0..<count).map { _ in UInt8.random(in: 0...255, using: &random) })
    }
    switch kind {
    case .allAdmitted: break
    case .overflowing:
      numbers.dimension = 48
      words.dimension = 96
    case .counted:
      numbers.admission = .counter(threshold: 3)
      words.cutoff = 4
      words.sharedRows = 11
    case .onProbation:
      numbers.cutoff = 3
      words.admission = .countingBloomFilter(
        threshold: 2, expectedIDs: 30_000, falsePositiveRate: 1e-6)
      words.cutoff = 5
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
    fixes = []
    lastFix = 0
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

  /// Takes note of a state that the database fixed since it was last looked at, and of commits that
  /// ended meanwhile.
  func followCommits() throws {
    noteFix()
    if random.oneIn(2) { try database.waitForCommits() }
    takeCommitted(upTo: database.commits.withLock { $0.done })
  }

  private func noteFix() {
    let number = database.commits.withLock { $0.lastNumber }
    guard number != lastFix else { return }
    lastFix = number
    fixes.append(Fix(number: number, point: live, tables: models.map(\.live)))
    note("fixed")
  }

  private func takeCommitted(upTo number: UInt64) {
    while let fix = fixes.first, fix.number <= number {
      for t in models.indices { models[t].committed = fix.tables[t] }
      committed = fix.point
      fixes.removeFirst()
      note("committed")
    }
  }

  /// Waits until all that was fixed is committed.
  func settle() throws {
    noteFix()
    try database.waitForCommits()
    takeCommitted(upTo: lastFix)
    let last = try database.lastCommit
    try #require(last == committed, "the database is at \(last), the model at \(committed)")
  }

  /// An explicit commit.
  func commit() throws {
    if random.oneIn(3) { step += 1 }
    let wait = random.oneIn(2)
    try database.commit(step: step, wait: wait)
    live = CommitPoint(step: step)
    openStep = max(openStep, step)
    noteFix()
    note(wait ? "commit" : "commit behind")
    if wait { try settle() }
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
    takeCommitted(upTo: lastFix)
    if random.oneIn(4) {
      options.cacheBudget = budgets.randomElement(using: &random)!
    }
    try open()
    for t in models.indices {
      models[t].live = models[t].committed
      models[t].live.probation = [:]
    }
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
