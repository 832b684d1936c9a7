import Embeddings
import TestSupport
import Testing

/// The code of the articles in `Embeddings.docc`, in the same words. Where an article changes, so does
/// its test: each `MARK` names the article and the section.
@Suite struct ExamplesTests {
  let directory = TemporaryDirectory()
  var path: String { directory.path + "/model" }

  /// The derivative of a loss that pulls vectors towards 1.
  func gradientsOfLoss(_ vectors: [[Float]]) -> [[Float]] {
    vectors.map { $0.map { $0 - 1 } }
  }

  // MARK: GettingStarted, "Train"

  @Test func trainingCommittingAndReadingBack() throws {
    let database = try EmbeddingDatabase(at: path)
    let words = try database.table(
      "words", TableConfiguration(dimension: 64, optimizer: .adagrad(learningRate: 0.05)))

    for step in 1...10 as ClosedRange<Int64> {
      let ids = ["king", "queen", "crown"]
      let vectors = try words.lookup(ids, mode: .training)
      let gradients = gradientsOfLoss(vectors)
      try words.update(ids, gradients: gradients, step: step)
    }
    try database.commit(step: 10)

    #expect(try words.count == 3)
    #expect(try words.metadata(of: "king").frequency == 10)
    #expect(try database.lastCommit == CommitPoint(step: 10))
    try database.close()

    // MARK: GettingStarted, "Read"
    let reader = try EmbeddingDatabase(at: path, options: .readOnly)
    let served = try reader.table("words")
    let vectors = try served.lookup(["king", "throne"])
    #expect(vectors.count == 2)
    #expect(try served.contains("throne") == false)
    try reader.close()
  }

  // MARK: GettingStarted, "Without copies"

  @Test func buffersOfTheCallerAreFilledInPlace() throws {
    let database = try EmbeddingDatabase(at: path)
    let users = try database.table("users", TableConfiguration(dimension: 16, idType: .int64))

    let ids: [Int64] = [7, 42, 7]
    var vectors = [Float](repeating: 0, count: ids.count * 16)
    var span = vectors.mutableSpan
    try users.lookup(IDBatch(ids.span), into: &span, mode: .training)

    let gradients = vectors.map { $0 - 1 }
    try users.update(
      IDBatch(ids.span), gradients: gradients.span, step: 1, learningRate: nil, counting: .updates)
    #expect(try users.count == 2)
  }

  // MARK: GettingStarted, "Memory"

  @Test func theBudgetBoundsTheCacheAndNotTheTable() throws {
    let options = EmbeddingDatabase.Options(cacheBudget: 1 << 20)
    let database = try EmbeddingDatabase(at: path, options: options)
    let items = try database.table("items", TableConfiguration(dimension: 32, idType: .int64))

    // 20,000 rows of 32 floats and 32 slots: several times the budget.
    for first in stride(from: Int64(0), to: 20_000, by: 1_000) {
      let ids = IDColumn((first..<first + 1_000).map { $0 })
      let gradients = [Float](repeating: 0.1, count: 1_000 * 32)
      try items.update(ids, gradients: gradients, step: first / 1_000 + 1)
    }
    try database.commit(step: 20)
    #expect(try items.count == 20_000)
  }

  // MARK: TrainingAndCommits, "Resume"

  @Test func trainingResumesAfterTheLastCommit() throws {
    do {
      let database = try EmbeddingDatabase(at: path)
      let words = try database.table("words", TableConfiguration(dimension: 4))
      try words.update(["king"], gradients: [[1, 1, 1, 1]], step: 1)
      try database.commit(step: 1)
      try words.update(["king"], gradients: [[1, 1, 1, 1]], step: 2)
      try database.close()
    }

    let database = try EmbeddingDatabase(at: path)
    let words = try database.table("words", TableConfiguration(dimension: 4))
    let start = try database.lastCommit
    #expect(start.batches == 0, "the last commit was one of whole steps")
    for step in (start.step + 1)...5 {
      try words.update(["king"], gradients: [[1, 1, 1, 1]], step: step)
    }
    try database.commit(step: 5)
    #expect(try words.metadata(of: "king").frequency == 5)
  }

  // MARK: TrainingAndCommits, "Refused steps"

  @Test func aLowerStepIsRefused() throws {
    let database = try EmbeddingDatabase(at: path)
    let words = try database.table("words", TableConfiguration(dimension: 4))
    try words.update(["king"], gradients: [[1, 1, 1, 1]], step: 500)
    try database.commit(step: 500)

    do throws(EmbeddingError) {
      try database.commit(step: 400)
      Issue.record("step 400 was committed after step 500")
    } catch  where error.code == .stepRefused {
      print(error)
    }
  }

  // MARK: TrainingAndCommits, "One commit, seen whole"

  @Test func aViewShowsOneCommitWhole() throws {
    let database = try EmbeddingDatabase(at: path)
    let words = try database.table("words", TableConfiguration(dimension: 4))
    try words.assign(["king", "queen"], vectors: [[1, 2, 3, 4], [5, 6, 7, 8]], step: 1)
    try database.commit(step: 1)

    var norms: [Float] = []
    try database.read { (view) throws(EmbeddingError) in
      #expect(view.point == CommitPoint(step: 1))
      try view.forEachBatch(of: words) { batch in
        for row in 0..<batch.count {
          let vector = batch.vectors[row * batch.dimension..<(row + 1) * batch.dimension]
          norms.append(vector.reduce(0) { $0 + $1 * $1 }.squareRoot())
        }
        return true
      }
    }
    #expect(norms.count == 2)
  }

  // MARK: TrainingAndCommits, "Negatives"

  @Test func negativesAreDrawnFromTheLastCommit() throws {
    let database = try EmbeddingDatabase(at: path)
    let words = try database.table("words", TableConfiguration(dimension: 4))
    let ids = (0..<100).map { "word\($0)" }
    let gradients = ids.map { _ in [Float](repeating: 0.1, count: 4) }
    try words.update(ids, gradients: gradients, step: 1)
    try database.commit(step: 1)

    let request = SamplingRequest(count: 8, distribution: .unigram(distortion: 0.75), seed: 1)
    let sample = try words.sample(request, positives: IDColumn(["word7"]))
    #expect(sample.count == 8)
    #expect(sample.isPositive == [true] + [Bool](repeating: false, count: 7))
    let corrections = sample.logExpectedCounts()
    #expect(corrections.count == 8)
  }

  // MARK: TrainingAndCommits, "Threads"

  @Test func threadsTrainAtTheSameTime() async throws {
    let database = try EmbeddingDatabase(at: path)
    let words = try database.table("words", TableConfiguration(dimension: 4, optimizer: .sgd()))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for worker in 0..<4 {
        group.addTask {
          for _ in 0..<100 {
            try words.update(
              ["shared", "worker\(worker)"], gradients: [[1, 0, 0, 0], [0, 1, 0, 0]], step: 1)
          }
        }
      }
      try await group.waitForAll()
    }
    try database.commit(step: 1)
    #expect(try words.metadata(of: "shared").frequency == 400)
    #expect(try words.count == 5)
  }

  // MARK: ChoosingAdmission

  @Test func idsBelowTheThresholdTrainSharedRows() throws {
    let database = try EmbeddingDatabase(at: path)
    var configuration = TableConfiguration(dimension: 64, optimizer: .adagrad(learningRate: 0.05))
    configuration.admission = .countingBloomFilter(threshold: 10, expectedIDs: 10_000_000)
    configuration.sharedRows = 100_000
    // The article's number of expected ids is not for a test's memory.
    configuration.admission = .countingBloomFilter(threshold: 10, expectedIDs: 1_000)
    let words = try database.table("words", configuration)
    let gradients = [[Float](repeating: 0.1, count: 64)]
    for step in 1...9 { try words.update(["king"], gradients: gradients, step: Int64(step)) }
    try words.update(["king"], gradients: gradients, step: 10, counting: .none)
    #expect(try !words.contains("king"))
    try words.update(["king"], gradients: gradients, step: 11)
    try database.commit(step: 11)
    #expect(try words.contains("king"))
    #expect(try words.metadata(of: "king").frequency == 10)
  }
}
