import Glibc
import StorageBase
import TestSupport
import Testing

@testable import Embeddings

/// Rows that wait for a commit and find no room in the budget stand in the scratch file.
@Suite struct OverflowTests {
  private let configuration = TableConfiguration(
    dimension: 64, idType: .int64, seed: 5, optimizer: .adagrad(learningRate: 0.1))

  private struct Outcome: Equatable {
    var commits: UInt64 = 0
    var mostOverflow = 0
    /// The ids in the order of their row numbers.
    var order: [Int64] = []
  }

  @Test func theScratchFileMayTakeAShareOfTheMachinesMemoryUnlessItIsSet() {
    func limit(_ budget: Int, _ machineBytes: Int?) -> Int {
      CacheBudget.defaultScratchLimit(budget: budget, machineBytes: machineBytes)
    }
    #expect(limit(100, 1 << 40) == 1600)
    #expect(limit(1 << 30, 64 << 30) == 8 << 30)
    #expect(limit(1 << 30, nil) == 16 << 30)
    #expect(limit(.max, nil) > .max / 2)
  }

  /// Trains 60 batches of ids, most of which come once, and compares all rows with the reference.
  private func train(scratchLimit: Int, before: (String) throws -> Void = { _ in }) throws
    -> Outcome
  {
    let scratch = Scratch()
    let options = EmbeddingDatabase.Options(
      cacheBudget: 1 << 20, durability: .noSync, scratchLimit: scratchLimit)
    try EmbeddingDatabase(at: scratch.path, options: options).close()
    try before(scratch.path)
    let database = try EmbeddingDatabase(at: scratch.path, options: options)
    let table = try database.table("t", configuration)
    let generation = try database.statistics().generation
    var reference = ReferenceTable(configuration)
    var random = SeededGenerator(seed: 1)
    var outcome = Outcome()
    for step in 1...60 as ClosedRange<Int64> {
      let ids = (0..<100).map { _ in Int64.random(in: 0..<4000, using: &random) }
      let gradients = random.floats(100 * 64)
      try table.update(IDColumn(ids), gradients: gradients, step: step)
      reference.update(ids.map { .int64($0) }, gradients: gradients, step: step)
      outcome.mostOverflow = max(outcome.mostOverflow, database.budget.overflowBytes)
      #expect(database.budget.usedBytes <= database.budget.limit)
      #expect(database.budget.lookupBytes <= database.budget.lookupLimit)
    }
    try database.waitForCommits()
    let all = Array(0..<4000 as Range<Int64>)
    let expected = reference.lookup(all.map { .int64($0) }, mode: .serving)
    #expect(try table.lookup(IDColumn(all)) == expected)
    try database.commit(step: 60)
    outcome.commits = try database.statistics().generation - generation
    try table.forEachBatch(ofAtMost: 1000, includingSlots: false) { (rows) in
      outcome.order += rows.ids.int64s
      return true
    }
    try database.close()
    let reopened = try EmbeddingDatabase(at: scratch.path, options: options)
    #expect(try reopened.table("t", configuration).lookup(IDColumn(all)) == expected)
    try reopened.close()
    return outcome
  }

  @Test func rowsThatOverflowAreCommittedLessOftenAndAreTheSame() throws {
    let without = try train(scratchLimit: 0)
    let with = try train(scratchLimit: 4 << 20)
    #expect(without.mostOverflow == 0 && with.mostOverflow > 0)
    #expect(with.commits < without.commits)
    #expect(Set(with.order) == Set(without.order))
  }

  @Test func theSameTrainingGivesTheSameRowsTheSameNumbers() throws {
    let first = try train(scratchLimit: 4 << 20)
    let second = try train(scratchLimit: 4 << 20)
    #expect(first.order == second.order && first.commits == second.commits)
  }

  @Test func withoutAScratchFileTheDatabaseCommitsMoreOften() throws {
    // A directory stands where the file would be made.
    let outcome = try train(scratchLimit: 4 << 20) { path in
      #expect(mkdir(path + "/scratch-\(getpid())", 0o777) == 0)
    }
    #expect(outcome.mostOverflow == 0 && outcome.commits > 2)
  }

  @Test(arguments: [3, 4])
  func whereTheDiskFillsUpRowsAreCommittedInstead(failingCall: Int) throws {
    let unharmed = try train(scratchLimit: 4 << 20)
    // Regions of 256 KiB, of which each gets its room and is then written: the disk has room for two,
    // of which the second may not be written, and then for no more.
    let plan = FaultPlan(failingCall: failingCall, errno: ENOSPC, persists: true)
    let outcome = try FileFaults.run(plan) { try train(scratchLimit: 4 << 20) }
    #expect(plan.calls > failingCall)
    #expect(outcome.mostOverflow > 0 && outcome.mostOverflow <= 512 << 10)
    #expect(outcome.commits > unharmed.commits)
    #expect(Set(outcome.order) == Set(unharmed.order))
  }

  @Test func whereTheDiskIsFullFromTheStartNothingOverflows() throws {
    let plan = FaultPlan(failingCall: 0, errno: ENOSPC, persists: true)
    let outcome = try FileFaults.run(plan) { try train(scratchLimit: 4 << 20) }
    #expect(plan.calls > 0 && outcome.mostOverflow == 0 && outcome.commits > 2)
  }

  @Test func aForkedChildIsRefusedWhileRowsOverflowAndTheParentsRowsSurvive() async {
    await #expect(processExitsWith: .success) {
      let scratch = Scratch()
      let configuration = OverflowTests().configuration
      let database = try EmbeddingDatabase(
        at: scratch.path, options: .init(cacheBudget: 1 << 20, scratchLimit: 4 << 20))
      let table = try database.table("t", configuration)
      try table.set(0..<1100, to: 1)
      #expect(database.budget.overflowBytes > 0)
      let ids = IDColumn(Array(0..<1100 as Range<Int64>))
      let before = try table.lookup(ids)
      let status = forked {
        let uses: [() throws -> Void] = [
          { _ = try table.lookup(ids) },
          { try table.set(0..<1100, to: 2) },
          { try database.commit(step: 1) },
          { try database.close() },
        ]
        for (i, use) in uses.enumerated() {
          do {
            try use()
            return Int32(i + 1)
          } catch {
            guard (error as? EmbeddingError)?.code == .forked else { return Int32(i + 11) }
          }
        }
        return 0
      }
      // The low bits are those of a signal.
      #expect(status == 0, "use \(status >> 8), signal \(status & 0x7f)")
      #expect(database.budget.overflowBytes > 0)
      #expect(try table.lookup(ids) == before)
      try database.commit(step: 1)
      try database.close()
      let reopened = try EmbeddingDatabase(at: scratch.path)
      #expect(try reopened.table("t").lookup(ids) == before)
      try reopened.close()
    }
  }

  @Test func theScratchFileHasNoNameAndNothingIsLeftOfIt() throws {
    let scratch = Scratch()
    let database = try EmbeddingDatabase(
      at: scratch.path, options: .init(cacheBudget: 1 << 20, scratchLimit: 4 << 20))
    let table = try database.table("t", configuration)
    try table.set(0..<1100, to: 1)
    #expect(database.budget.overflowBytes > 0)
    #expect(access(scratch.path + "/scratch-\(getpid())", F_OK) != 0)
    try database.dropTable("t")
    #expect(database.budget.overflowBytes == 0 && database.budget.usedBytes == 0)
  }
}
