import StorageBase
import TestSupport
import Testing

@testable import Embeddings

@Suite struct EvictionPolicyTests {
  let scratch = Scratch()

  private static let policy = EvictionPolicy(
    .olderThan(steps: 6).or(.keeping(rows: 150, .mostFrequent)), everySteps: 5,
    frequencyDecay: 0.75)

  private var configuration: TableConfiguration {
    var configuration = TableConfiguration(
      dimension: 8, idType: .int64, seed: 5, optimizer: .adagrad(learningRate: 0.1))
    configuration.eviction = Self.policy
    return configuration
  }

  /// One step of training: a pure function of its number.
  private func train(
    _ table: EmbeddingTable, _ reference: inout ReferenceTable, step: Int64
  ) throws {
    var random = SeededGenerator(seed: UInt64(step))
    for _ in 0..<3 {
      let ids = (0..<40).map { _ in EmbeddingID.int64(Int64.random(in: 0..<400, using: &random)) }
      let gradients = random.floats(ids.count * 8)
      try table.update(IDColumn(ids, type: .int64), gradients: gradients, step: step)
      reference.update(ids, gradients: gradients, step: step)
    }
  }

  /// Commits a step, and does to the reference what the policy has to do.
  private func commit(
    _ database: EmbeddingDatabase, _ reference: inout ReferenceTable, step: Int64, wait: Bool
  ) throws {
    try database.commit(step: step, wait: wait)
    guard step % 5 == 0 else { return }
    reference.decayFrequencies(by: 0.75)
    _ = reference.evict(Self.policy.rule!, step: step)
  }

  @Test(arguments: [64 << 20, 200_000])
  func aPolicyRunsWithTheCommitsAtWhichItIsDue(budget: Int) throws {
    let database = try scratch.open(budget: budget)
    let table = try database.table("t", configuration)
    let other = try database.table("other", plain)
    var reference = ReferenceTable(table.configuration)
    for step in 1...Int64(23) {
      try train(table, &reference, step: step)
      try other.set([step], to: 1, step: step)
      try commit(database, &reference, step: step, wait: step % 2 == 0)
      if step % 5 == 0 {
        #expect(try reference.difference(from: table) == nil, "step \(step)")
        #expect(try brokenInvariant(of: table) == nil)
        #expect(try table.count == reference.rows.count)
      }
      // A step that is committed again changes nothing.
      try database.commit(step: step)
    }
    try database.waitForCommits()
    #expect(try reference.difference(from: table) == nil)
    #expect(try other.count == 23)
    let report = try database.statistics().tables.first { $0.name == "t" }
    #expect(report?.lastEvictionStep == 20 && report?.evictedRows ?? 0 > 0)
    let verification = try database.verify()
    #expect(verification.problems.isEmpty, "\(verification)")
  }

  @Test func trainingThatResumesIsTrainingThatWentOn() throws {
    /// Trains up to `end`, with the process gone after each of `crashes` and what was not committed.
    func train(_ scratch: Scratch, crashes: [Int64], end: Int64) throws -> [[Float]] {
      var database = try scratch.open(budget: 200_000)
      var table = try database.table("t", configuration)
      var reference = ReferenceTable(table.configuration)
      var step: Int64 = 0
      var crashes = crashes
      while step < end {
        step += 1
        try self.train(table, &reference, step: step)
        guard step % 5 == 0 || step % 7 == 0 else { continue }
        try commit(database, &reference, step: step, wait: false)
        guard let crash = crashes.first, step >= crash else { continue }
        crashes.removeFirst()
        // Half a step more, which is lost.
        try database.waitForCommits()
        try table.update(IDColumn([1]), gradients: [Float](repeating: 1, count: 8), step: step + 1)
        try database.close()
        database = try scratch.open(budget: 200_000)
        table = try database.table("t", configuration)
        #expect(try database.lastCommit == CommitPoint(step: step))
        #expect(try reference.difference(from: table) == nil)
      }
      try database.commit(step: end)
      var rows: [[Float]] = []
      try table.forEachBatch(ofAtMost: 10_000, includingSlots: true) { (batch) in
        rows.append(batch.ids.int64s.map { Float($0) })
        rows += [batch.vectors, batch.slots, batch.frequencies.map { Float($0) }]
        return true
      }
      try database.close()
      return rows
    }
    let wentOn = try train(Scratch(), crashes: [], end: 38)
    // The rows, and their order.
    #expect(try train(Scratch(), crashes: [5, 15, 21, 30], end: 38) == wentOn)
  }

  @Test func aPolicyIsStoredAndChangedAndRemoved() throws {
    let database = try scratch.open()
    let table = try database.table("t", configuration)
    #expect(table.configuration.eviction == Self.policy)
    try table.set(0..<10, to: 1, step: 3)
    try database.commit(step: 3)
    let every = EvictionRule.olderThan(steps: 1).or(.seenFewerThan(2)).or(.normBelow(0.5))
      .or(.keeping(rows: 7, .newest)).or(.keeping(rows: 9, .mostFrequent))
    for policy: EvictionPolicy? in [
      EvictionPolicy(every, everySteps: 2), EvictionPolicy(nil, everySteps: 9, frequencyDecay: 0.5),
      EvictionPolicy(.nothing, everySteps: 1), nil,
      EvictionPolicy(.olderThan(steps: 3), everySteps: 4),
    ] {
      try database.setEviction(policy, of: "t")
      #expect(table.configuration.eviction == policy)
      let record = try database.read { (view) throws(EmbeddingError) in
        try view.tableRecord("t")
      }
      #expect(record.configuration.eviction == policy)
    }
    try database.close()
    let reopened = try scratch.open()
    // A policy is no part of what a table is: none leaves it, another one takes its place.
    var configuration = configuration
    configuration.eviction = nil
    let again = try reopened.table("t", configuration)
    #expect(again.configuration.eviction == EvictionPolicy(.olderThan(steps: 3), everySteps: 4))
    // Set at step 3, so not before 7.
    try reopened.commit(step: 6)
    #expect(try again.count == 10)
    try reopened.commit(step: 7)
    #expect(try again.count == 0)
    configuration.eviction = EvictionPolicy(nil, everySteps: 0)
    #expect(code { _ = try reopened.table("t", configuration) } == .invalidConfiguration)
    configuration.eviction = Self.policy
    _ = try reopened.table("t", configuration)
    #expect(again.configuration.eviction == Self.policy)
    let reader = message { _ = try reopened.verify() }
    #expect(reader == "")
    // A table of the same name begins without it.
    try reopened.dropTable("t")
    let anew = try reopened.table("t", plain)
    #expect(anew.configuration.eviction == nil)
    #expect(try reopened.verify().problems.isEmpty)
  }

  @Test func batchesOfOtherThreadsWaitForACommitThatEvicts() throws {
    let database = try scratch.open()
    var configuration = plain
    configuration.eviction = EvictionPolicy(.olderThan(steps: 2), everySteps: 1)
    let table = try database.table("t", configuration)
    let steps: Int64 = 60
    concurrently(
      {
        for round in 0..<400 as Range<Int64> {
          // Rows that no policy takes, and rows that come and go.
          try? table.update(
            IDColumn([round % 50]), gradients: [1, 1, 1, 1], step: steps + 1)
          _ = try? table.lookup(IDColumn(Array(0..<200)), mode: .serving)
        }
      },
      {
        for step in 1...steps {
          try? table.set(100 + step..<160 + step, to: Float(step), step: step)
          try? database.commit(step: step, wait: step % 3 == 0)
        }
      })
    try database.waitForCommits()
    #expect(try brokenInvariant(of: table) == nil)
    #expect(try table.lookup(IDColumn(Array(0..<50))).allSatisfy { $0 == -8 })
  }
}
