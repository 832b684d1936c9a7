import Embeddings
import Machine

/// A training loop that measures itself: lookups, updates and commits apart.
struct TrainingRun {
  let database: EmbeddingDatabase
  let table: EmbeddingTable
  let commitEvery: Int
  let reportEvery: Int
  private var ids: [Int64]
  private var vectors: [Float]
  private var gradients: [Float]
  private var step: Int64 = 0
  private var interval = Interval()

  /// What happened since the last report.
  private struct Interval {
    var rows = 0
    var lookup = 0.0
    var update = 0.0
    var commits = 0
    var commit = 0.0
    var longestStep = 0.0
  }

  /// - Parameter open: opens the database, once the program has all memory of its own.
  init(
    batch: Int, dimension: Int, commitEvery: Int, reportEvery: Int,
    open: () throws -> (EmbeddingDatabase, EmbeddingTable)
  ) throws {
    self.commitEvery = commitEvery
    self.reportEvery = reportEvery
    ids = Array(repeating: 0, count: batch)
    let floats = batch * dimension
    vectors = Array(repeating: 0, count: floats)
    gradients = (0..<floats).map { Float($0 % 1000 - 500) * 1e-4 }
    let before = ResidentMemory.now().anonymous >> 10
    print("{\"phase\": \"before the database is opened\", \"rss_anonymous_mib\": \(before)}")
    (database, table) = try open()
  }

  /// Runs `steps` steps on the ids that `fill` chooses.
  mutating func phase(
    _ name: String, steps: Int, fill: (inout [Int64]) -> Void
  ) throws(EmbeddingError) {
    for phaseStep in 1...max(1, steps) {
      fill(&ids)
      try train()
      if phaseStep % reportEvery == 0 || phaseStep == steps { try report(name) }
    }
  }

  private mutating func train() throws(EmbeddingError) {
    step += 1
    let start = seconds()
    // The span borrows `self`, so what else the call needs is taken out first.
    let (ids, table) = (ids, table)
    var span = vectors.mutableSpan
    try table.lookup(IDBatch(ids.span), into: &span, mode: .training)
    let looked = seconds()
    try table.update(
      IDBatch(ids.span), gradients: gradients.span, step: step, learningRate: nil,
      counting: .updates)
    let updated = seconds()
    if commitEvery > 0 && step % Int64(commitEvery) == 0 { try commit() }
    interval.rows += ids.count
    interval.lookup += looked - start
    interval.update += updated - looked
    interval.longestStep = max(interval.longestStep, seconds() - start)
  }

  private mutating func commit() throws(EmbeddingError) {
    let start = seconds()
    try database.commit(step: step)
    interval.commits += 1
    interval.commit += seconds() - start
  }

  private mutating func report(_ phase: String) throws(EmbeddingError) {
    let memory = ResidentMemory.now()
    let time = interval.lookup + interval.update + interval.commit
    let fields: [(String, String)] = [
      ("phase", "\"\(phase)\""), ("step", "\(step)"), ("rows", "\(try table.count)"),
      ("rows_per_s", rounded(Double(interval.rows) / time)),
      ("lookup_s", rounded(interval.lookup)), ("update_s", rounded(interval.update)),
      ("explicit_commits", "\(interval.commits)"), ("commit_s", rounded(interval.commit)),
      ("longest_step_s", rounded(interval.longestStep)),
      ("rss_anonymous_mib", "\(memory.anonymous >> 10)"), ("rss_file_mib", "\(memory.file >> 10)"),
      ("file_mib", "\(allocatedBytes(database.path + "/data.mdb") >> 20)"),
      ("last_commit", "\"\(try database.lastCommit)\""),
    ]
    print("{" + fields.map { "\"\($0.0)\": \($0.1)" }.joined(separator: ", ") + "}")
    interval = Interval()
  }

  /// Commits what is left.
  mutating func finish() throws(EmbeddingError) {
    try commit()
    try report("last commit")
    try database.close()
  }

  private func rounded(_ value: Double) -> String {
    value.isFinite ? String((value * 1000).rounded() / 1000) : "null"
  }
}
