import Glibc
import LMDB
import StorageBase
import Synchronization
import TestSupport
import Testing

@testable import Embeddings

/// Commits that run behind the training loop, held up where a test needs them to be.
@Suite struct CommitBehindTests {
  let scratch = Scratch()
  private let configuration = TableConfiguration(
    dimension: 6, idType: .bytes, seed: 5, optimizer: .adagrad(learningRate: 0.1))

  /// Does to a table and its reference what a step does: trains, creates, deletes and revives rows.
  private func train(
    _ step: Int64, _ table: EmbeddingTable, _ reference: inout ReferenceTable, rows: Int = 120
  ) throws {
    var random = SeededGenerator(seed: UInt64(step))
    let ids = (0..<rows).map { _ in EmbeddingID("id \(Int.random(in: 0..<300, using: &random))") }
    let gradients = random.floats(rows * 6)
    try table.update(IDColumn(ids, type: .bytes), gradients: gradients, step: step)
    reference.update(ids, gradients: gradients, step: step)
    let deleted = (0..<rows / 4).map { _ in
      EmbeddingID("id \(Int.random(in: 0..<300, using: &random))")
    }
    try table.delete(IDColumn(deleted, type: .bytes).batch)
    _ = reference.delete(deleted)
    let counted = Array(deleted.prefix(8))
    try table.addFrequency(IDColumn(counted, type: .bytes).batch)
    reference.addFrequency(counted)
  }

  /// Runs `body` while no commit can be written.
  private func holdingCommits(
    of database: EmbeddingDatabase, _ body: () throws -> Void
  ) throws {
    let held = Monitor(false)
    let released = Monitor(false)
    let started = runInBackground {
      try? database.environment.write { (_) throws(EmbeddingError) in
        held.withLock { $0 = true }
        held.broadcast()
        try released.wait { $0 ? () : nil }
      }
    }
    #expect(started)
    try held.wait { $0 ? () : nil }
    defer {
      released.withLock { $0 = true }
      released.broadcast()
    }
    try body()
  }

  @Test func theCommitHoldsTheStateThatWasFixedWhateverIsTrainedMeanwhile() throws {
    let database = try scratch.open()
    let table = try database.table("t", configuration)
    var reference = ReferenceTable(configuration)
    for step in 1...5 as ClosedRange<Int64> { try train(step, table, &reference) }
    try database.commit(step: 5)
    for round in 0..<5 as Range<Int64> {
      let first = 6 + round * 4
      try train(first, table, &reference)
      let fixed = reference
      try holdingCommits(of: database) {
        try database.commit(step: first, wait: false)
        for step in first + 1...first + 3 { try train(step, table, &reference) }
        #expect(try database.lastCommit.step == first - 1)
        #expect(try table.count == reference.rows.count)
      }
      try database.waitForCommits()
      #expect(try database.lastCommit == CommitPoint(step: first))
      #expect(try fixed.difference(from: table) == nil)
      #expect(try brokenInvariant(of: table) == nil)
      #expect(try table.count == reference.rows.count)
      try database.commit(step: first + 3)
      #expect(try reference.difference(from: table) == nil)
      #expect(try brokenInvariant(of: table) == nil)
    }
  }

  @Test func theLastStateAskedForTakesThePlaceOfTheOneThatWaits() throws {
    let database = try scratch.open()
    let table = try database.table("t", configuration)
    var reference = ReferenceTable(configuration)
    try train(1, table, &reference)
    try database.commit(step: 1)
    let generation = try database.read { (view) in view.generation }
    try train(2, table, &reference)
    try holdingCommits(of: database) {
      for step in 2...9 as ClosedRange<Int64> {
        try database.commit(step: step, wait: false)
        try train(step + 1, table, &reference)
      }
    }
    // Nobody waits, for whom the one under way might be given up.
    while try database.lastCommit.step < 9 { sched_yield() }
    try database.waitForCommits()
    #expect(try database.lastCommit == CommitPoint(step: 9))
    // The one that was under way, and the last of those behind it.
    #expect(try database.read { (view) in view.generation } == generation + 2)
    try database.commit(step: 10)
    #expect(try reference.difference(from: table) == nil)
    #expect(try brokenInvariant(of: table) == nil)
  }

  /// Commits step `first` behind the loop, or in a thread that waits for it, and holds that up; trains
  /// `steps` steps of `rows` rows, commits the last one behind the loop, trains one more, and waits;
  /// checks what was written then, and returns how many commits.
  private func commitTwice(
    _ database: EmbeddingDatabase, _ table: EmbeddingTable, _ reference: inout ReferenceTable,
    first: Int64, waiting: Bool = false, steps: Int64, rows: Int = 120
  ) throws -> UInt64 {
    let generation = try database.read { (view) in view.generation }
    let ended = Monitor(0)
    func inBackground(_ body: @escaping @Sendable () throws -> Void) {
      let started = runInBackground {
        do { try body() } catch { Issue.record(error) }
        ended.withLock { $0 += 1 }
        ended.broadcast()
      }
      #expect(started)
    }
    let last = first + steps
    var fixed = reference
    try holdingCommits(of: database) {
      if waiting {
        inBackground { try database.commit(step: first) }
      } else {
        try database.commit(step: first, wait: false)
      }
      while database.commits.withLock({ !$0.isRunning || $0.isBeginning }) { sched_yield() }
      for step in first + 1...last { try train(step, table, &reference, rows: rows) }
      try database.commit(step: last, wait: false)
      fixed = reference
      // Some rows change only after both.
      try train(last + 1, table, &reference, rows: rows)
      inBackground { try database.waitForCommits() }
      while !database.pace.isHurried { sched_yield() }
    }
    try ended.wait { $0 == (waiting ? 2 : 1) ? () : nil }
    #expect(try database.lastCommit == CommitPoint(step: last))
    #expect(try fixed.difference(from: table) == nil)
    #expect(try brokenInvariant(of: table) == nil)
    #expect(try table.count == reference.rows.count)
    return try database.read { (view) in view.generation } - generation
  }

  private static let admissions: [Admission] = [
    .none, .counter(threshold: 3),
    .countingBloomFilter(threshold: 2, expectedIDs: 1000, falsePositiveRate: 0.01),
  ]

  @Test(arguments: admissions)
  func aCommitIsGivenUpForTheOneThatSomebodyWaitsFor(_ admission: Admission) throws {
    var configuration = configuration
    configuration.admission = admission
    var database = try scratch.open()
    var table = try database.table("t", configuration)
    var reference = ReferenceTable(configuration)
    for round in 0..<8 as Range<Int64> {
      let first = 1 + round * 6
      try train(first, table, &reference)
      // Nearly all rows change meanwhile, or many do.
      let steps: Int64 = round % 2 == 0 ? 4 : 2
      let commits = try commitTwice(
        database, table, &reference, first: first, steps: steps)
      #expect(steps == 4 ? commits == 1 : commits <= 2, "round \(round)")
      if round % 4 < 2 {
        try database.commit(step: first + 5)
        #expect(try reference.difference(from: table) == nil)
        #expect(try brokenInvariant(of: table) == nil)
      }
    }
    try database.commit(step: 100)
    try database.close()
    database = try scratch.open()
    table = try database.table("t")
    #expect(try reference.difference(from: table) == nil)
    // It counts on from where it was.
    try train(101, table, &reference)
    try database.commit(step: 101)
    #expect(try reference.difference(from: table) == nil)
  }

  @Test func aCommitIsNotGivenUpWhereMostOfItWouldBeWrittenAgain() throws {
    let database = try scratch.open()
    let table = try database.table("t", configuration)
    var reference = ReferenceTable(configuration)
    for step in 1...5 as ClosedRange<Int64> { try train(step, table, &reference) }
    let commits = try commitTwice(
      database, table, &reference, first: 5, steps: 1, rows: 12)
    #expect(commits == 2)
  }

  @Test func aCommitThatSomebodyWaitsForIsNotGivenUp() throws {
    let database = try scratch.open()
    let table = try database.table("t", configuration)
    var reference = ReferenceTable(configuration)
    try train(1, table, &reference)
    let commits = try commitTwice(
      database, table, &reference, first: 1, waiting: true, steps: 4)
    #expect(commits == 2)
  }

  /// Commits of many blocks, given up wherever they are when somebody comes to wait, or not at all.
  @Test func whatIsWrittenIsExactWhereverACommitIsGivenUp() throws {
    let configuration = TableConfiguration(
      dimension: 120, idType: .int64, seed: 5, optimizer: .adagrad(learningRate: 0.1))
    let database = try scratch.open()
    let table = try database.table("t", configuration)
    var reference = ReferenceTable(configuration)
    var random = SeededGenerator(seed: 9)
    for round in 0..<8 as Range<Int64> {
      var steps: [(ids: [EmbeddingID], gradients: [Float])] = []
      for count in [3000, 2700] + Array(repeating: 100, count: Int(round)) {
        let ids = (0..<count).map { EmbeddingID.int64(Int64($0) + 500 * round) }
        steps.append((ids, random.floats(count * 120)))
      }
      for (k, (ids, gradients)) in steps.enumerated() {
        let step = round * 100 + Int64(k)
        try table.update(IDColumn(ids, type: .int64), gradients: gradients, step: step)
        if k == 0 { try database.commit(step: step, wait: false) }
      }
      let last = round * 100 + Int64(steps.count) - 1
      try database.commit(step: last, wait: false)
      try database.waitForCommits()
      for (k, (ids, gradients)) in steps.enumerated() {
        reference.update(ids, gradients: gradients, step: round * 100 + Int64(k))
      }
      #expect(try database.lastCommit == CommitPoint(step: last))
      #expect(try reference.difference(from: table) == nil)
      #expect(try brokenInvariant(of: table) == nil)
    }
  }

  @Test func closingWaitsForWhatWasAskedFor() throws {
    var database = try scratch.open()
    let table = try database.table("t", configuration)
    var reference = ReferenceTable(configuration)
    try train(1, table, &reference)
    try database.commit(step: 1, wait: false)
    try train(2, table, &reference)
    try database.commit(step: 2, wait: false)
    let fixed = reference
    try train(3, table, &reference)
    try database.close()
    database = try scratch.open()
    #expect(try database.lastCommit == CommitPoint(step: 2))
    #expect(try fixed.difference(from: database.table("t")) == nil)
  }

  @Test func aLowerStepThanTheOneThatIsFixedIsRefused() throws {
    let database = try scratch.open()
    let table = try database.table("t", configuration)
    var reference = ReferenceTable(configuration)
    try train(1, table, &reference)
    try holdingCommits(of: database) {
      try database.commit(step: 8, wait: false)
      #expect(throws: EmbeddingError.self) { try database.commit(step: 7, wait: false) }
    }
    try database.waitForCommits()
    #expect(try database.lastCommit == CommitPoint(step: 8))
  }
}
