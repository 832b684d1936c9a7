import Embeddings
import Machine
import WorkloadData

/// W3 and W6-train: training steps from an empty table on.
///
/// A step finds the distinct keys of its batch, looks them up for training, computes gradients from
/// what it got, and updates the rows with Adagrad. Every `commitEvery` steps a commit begins behind
/// the loop; the one after the last step is waited for, and with it all others.
///
/// With `cold` the first half of the steps is taken before, by a database of its own; the second
/// begins with nothing in the cache and nothing of the file in the page cache.
struct Training {
  let workload: Workload
  let options: RunOptions
  let kind: KeyKind
  let stream: IDStream
  let noise: UnsafeMutableBufferPointer<Float>

  init(_ workload: Workload, _ options: RunOptions) {
    self.workload = workload
    self.options = options
    kind = workload == .w3 ? .int64 : .string
    stream = options.applied(to: .w3)
    noise = TrainingData.noise(batchSize: options.batch, dimension: options.dimension)
  }

  static func configuration(dimension: Int, kind: KeyKind) -> TableConfiguration {
    TableConfiguration(
      dimension: dimension, idType: kind == .int64 ? .int64 : .bytes,
      initializer: .uniform(-TrainingData.initialRange...TrainingData.initialRange), seed: 0,
      optimizer: .adagrad(
        learningRate: TrainingData.learningRate,
        initialAccumulator: TrainingData.initialAccumulator, epsilon: TrainingData.epsilon))
  }

  /// A cache for all rows.
  private static let ampleBudget = 8 << 30

  func run() throws {
    defer { noise.deallocate() }
    let path = options.path + "/training"
    removeDatabase(path)
    let ids = stream.ids()
    let keys = KeyStream(ids, kind: kind)
    let budget = options.budget ?? Self.ampleBudget
    let first = options.cold ? stream.batches / 2 : 0
    if options.cold { try takeFirst(first, keys: Keys(keys), at: path) }
    // Rows, and the pages of the commits, as many as this workload needs at its usual size.
    let distinctBytes = min(stream.rows, ids.count / 6) * options.dimension * 8 * 2
    let memoryBefore = ResidentMemory.now().anonymous
    let database = try EmbeddingDatabase(
      at: path, options: .init(cacheBudget: budget, scratchLimit: options.scratch))
    if !options.cold {
      let bytes = min(2 * distinctBytes, 4 << 30)
      try writeOnce(bytes, to: database)
      // For what the cache does not hold: the scratch file, the lists of commits.
      touchMemory(bytes)
      touchDisk(bytes, in: options.path)
    }

    let table = try database.table(
      "rows", Self.configuration(dimension: options.dimension, kind: kind))
    let generation = try database.statistics().generation
    let loop = TrainingLoop(self, keys: Keys(keys), table: table)
    var times: [Double] = []
    var commits: [Double] = []
    var distinct = 0
    var mostMemory = 0
    var usage = Usage()
    let start = seconds()
    for step in first..<stream.batches {
      let begin = seconds()
      try loop.step(step)
      distinct += loop.distinctCount
      let done = step + 1
      if options.commitEvery > 0 && done % options.commitEvery == 0 && done < stream.batches {
        let beginCommit = seconds()
        try database.commit(step: Int64(done), wait: options.waitForCommits)
        commits.append(seconds() - beginCommit)
      }
      times.append(seconds() - begin)
      if done % 5 == 0 { mostMemory = max(mostMemory, ResidentMemory.now().anonymous) }
    }
    let total = seconds() - start
    usage.stop()
    let beginDurable = seconds()
    try database.commit(step: Int64(stream.batches))
    let durable = seconds() - beginDurable
    withExtendedLifetime(keys) {}

    let check = TrainingCheck(self, ids: ids)
    let error = try check.largestError(in: table)
    var result = ResultLine(workload, options)
    result.describe(stream, dimension: options.dimension, budget: budget)
    result.describe(times: times, commits: commits, total: total, batch: stream.batchSize)
    result["distinct_s"] = loop.times.distinct
    result["lookup_s"] = loop.times.lookup
    result["gradient_s"] = loop.times.gradient
    result["update_s"] = loop.times.update
    result["unique_rows_per_s"] = Double(distinct) / total
    result["durable_s"] = durable
    result["rows_per_s_durable"] = Double(times.count * stream.batchSize) / (total + durable)
    result["commit_every"] = options.commitEvery
    result["anonymous_mib_before"] = memoryBefore >> 10
    result["anonymous_mib_most"] = mostMemory >> 10
    result["waits_for_commits"] = options.waitForCommits
    result["prefetches"] = options.prefetch
    result["cold"] = options.cold
    // Behind the loop, a commit that waits its turn gives way to a later one.
    result["commits_written"] = Int(try database.statistics().generation - generation)
    result["disk_bytes"] = allocatedBytes(path + "/data.mdb")
    result["stored_rows"] = try table.count
    result["checked_rows"] = check.rows.count
    result["largest_error"] = Double(error)
    result.print(checked: error <= TrainingCheck.tolerance, usage: usage)
    try database.close()
    removeDatabase(path)
  }
}

extension ResultLine {
  /// Adds the figures of a training loop.
  mutating func describe(times: [Double], commits: [Double], total: Double, batch: Int) {
    let steps = Double(times.count)
    let last = times.suffix(100)
    self["rows_per_s"] = Double(batch) * steps / total
    self["rows_per_s_without_commits"] = Double(batch) * steps / (total - commits.reduce(0, +))
    self["steps_per_s"] = steps / total
    self["steps_per_s_last100"] = Double(last.count) / last.reduce(0, +)
    self["total_s"] = total
    self["step_p50_ms"] = times.median * 1e3
    self["step_p99_ms"] = times.quantile(0.99) * 1e3
    self["step_max_ms"] = times.quantile(1) * 1e3
    self["commits"] = commits.count
    self["commits_s"] = commits.reduce(0, +)
    self["commit_max_ms"] = (commits.max() ?? 0) * 1e3
  }
}

extension Training {
  /// Takes the first `count` steps, and leaves their rows in a file that is not in the page cache.
  private func takeFirst(_ count: Int, keys: Keys, at path: String) throws {
    let database = try EmbeddingDatabase(at: path, options: .init(cacheBudget: Self.ampleBudget))
    let table = try database.table(
      "rows", Self.configuration(dimension: options.dimension, kind: kind))
    let loop = TrainingLoop(self, keys: keys, table: table)
    for step in 0..<count { try loop.step(step) }
    try database.commit(step: Int64(count))
    try database.close()
    dropFromPageCache(path + "/data.mdb")
  }

  /// Fills the database's file and cache with a table that is removed again: what is timed then
  /// touches memory, and pages of the file, that were touched before, as the rivals do.
  private func writeOnce(_ bytes: Int, to database: EmbeddingDatabase) throws {
    let dimension = options.dimension
    let table = try database.table(
      "written once", Self.configuration(dimension: dimension, kind: .int64))
    var next: Int64 = 0
    let end = Int64(bytes / (dimension * 8))
    try table.importRows(ImportOptions()) { () throws(EmbeddingError) -> RowSource in
      { (batch, most) throws(EmbeddingError) in
        guard next < end else { return false }
        let last = min(next + Int64(most), end)
        batch.ids = IDColumn(Array(next..<last))
        batch.vectors = [Float](repeating: 1, count: Int(last - next) * dimension)
        next = last
        return true
      }
    }
    // And its rows into the cache, whose memory goes to the next table.
    let batchSize: Int64 = 8192
    for first in stride(from: 0, to: end, by: Int(batchSize)) {
      let ids = Array(first..<min(first + batchSize, end))
      _ = try table.lookup(IDColumn(ids), mode: .training)
    }
    try database.dropTable("written once")
  }
}
