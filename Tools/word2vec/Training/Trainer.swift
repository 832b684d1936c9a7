import Embeddings

/// Trains a text to the end, in rounds: draw negatives from the last commit, train some batches,
/// commit.
///
/// A run that was killed goes on at the last commit. With one thread, that gives bit for bit the
/// vectors of an undisturbed run, since every choice is a function of the step (see ``Schedule``)
/// and of what is stored. Threads take batches from one queue and add to the same rows in whatever
/// order they come: which bits result is then left to chance.
struct Trainer: Sendable {
  let tables: WordTables
  let path: String
  let schedule: Schedule
  let threads: Int
  /// Whether to go on behind a step of which only a part is durable.
  let acceptsPartialStep: Bool

  /// Each step updates both tables.
  private static let updatesPerStep: UInt64 = 2

  /// Trains what is left to train, and returns the sums over this run.
  @discardableResult
  func run(_ progress: Progress) async throws -> BatchResult {
    let parameters = schedule.parameters
    let first = try firstBatch()
    progress.start(batch: first, of: schedule)
    var result = BatchResult()
    guard first < schedule.batchCount else {
      try pruneAtEnd()
      return result
    }
    let retained = try tables.total(minimumCount: parameters.minimumCount)
    if parameters.hasCountingPass && retained.words == 0 {
      throw EmbeddingError(
        .invalidArgument,
        "No word occurs \(parameters.minimumCount) times. Lower --min-count, or give more text.")
    }
    let queue = SharedQueue(
      try BatchQueue(
        path: path, layout: parameters.layout, summary: schedule.summary,
        epochs: parameters.epochs, first: first))
    let counted = WordCounter(schedule, occurrences: retained.occurrences)
    for round in schedule.round(ofBatch: first)...schedule.round(ofBatch: schedule.batchCount - 1) {
      let batches = schedule.batches(ofRound: round)
      let pool = try NegativePool(
        from: tables.words, size: parameters.poolSize, distortion: parameters.distortion,
        minimumCount: parameters.minimumCount, seed: schedule.poolSeed(ofRound: round))
      result += try await withThrowingTaskGroup(of: BatchResult.self) { group in
        for _ in 0..<threads {
          group.addTask {
            try work(queue, below: batches.upperBound, counted, pool, progress)
          }
        }
        return try await group.reduce(into: BatchResult()) { $0 += $1 }
      }
      try tables.database.commit(step: schedule.step(ofBatch: batches.upperBound - 1))
    }
    try pruneAtEnd()
    progress.finish()
    return result
  }

  /// Without a counting pass, rare words are known only at the end. They were not trained, and go.
  private func pruneAtEnd() throws(EmbeddingError) {
    let parameters = schedule.parameters
    guard !parameters.hasCountingPass else { return }
    try tables.prune(
      minimumCount: parameters.minimumCount, step: schedule.step(ofBatch: schedule.batchCount - 1))
  }

  /// What one thread does in a round.
  private func work(
    _ queue: SharedQueue, below limit: Int, _ counter: WordCounter,
    _ pool: NegativePool, _ progress: Progress
  ) throws(EmbeddingError) -> BatchResult {
    var trainer = BatchTrainer(tables, schedule)
    var sum = BatchResult()
    while let (number, batch) = try queue.take(below: limit) {
      let subsampling = try counter.count(batch, number: number, in: tables.words)
      let result = try trainer.train(batch, number: number, subsampling: subsampling, pool: pool)
      progress.trained(result, batch: number)
      sum += result
    }
    return sum
  }

  /// The batch to go on with.
  private func firstBatch() throws(EmbeddingError) -> Int {
    let point = try tables.database.lastCommit
    let parameters = schedule.parameters
    let isWhole = point.batches == 0 || point.batches == Self.updatesPerStep
    let isExact = parameters.hasCountingPass || (point.batches == 0 && isRoundEnd(point.step))
    // Where the store committed by itself between two steps, the second one says so in batches.
    let done = schedule.batches(after: point.step + (point.batches == 0 ? 0 : 1))
    guard (isWhole && isExact) || acceptsPartialStep || threads > 1 else {
      throw EmbeddingError(
        .stepRefused,
        "The last commit is at \(point), made by the store itself because changed rows filled the "
          + "cache, and training cannot go on from there exactly. Go on all the same with "
          + "--accept-partial-step, or start anew with a larger --cache.")
    }
    return min(done, schedule.batchCount)
  }

  private func isRoundEnd(_ step: Int64) -> Bool {
    let done = schedule.batches(after: step)
    return done == schedule.batchCount || done % schedule.parameters.commitInterval == 0
  }
}
