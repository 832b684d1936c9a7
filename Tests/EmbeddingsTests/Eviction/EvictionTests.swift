import StorageBase
import TestSupport
import Testing

@testable import Embeddings

@Suite struct EvictionTests {
  let scratch = Scratch()

  private func id(_ number: Int, _ type: IDType) -> EmbeddingID {
    type == .int64 ? .int64(Int64(number - 300)) : EmbeddingID("id \(number)")
  }

  /// Trains a random batch, in which small numbers come more often.
  private func train(
    _ table: EmbeddingTable, _ reference: inout ReferenceTable, step: Int64,
    _ random: inout SeededGenerator
  ) throws {
    let type = table.configuration.idType
    let ids = (0..<120).map { _ in
      let unit = Double.random(in: 0..<1, using: &random)
      return id(Int(unit * unit * 900), type)
    }
    let gradients = random.floats(ids.count * table.configuration.dimension)
    try table.update(IDColumn(ids, type: type), gradients: gradients, step: step)
    reference.update(ids, gradients: gradients, step: step)
  }

  @Test(arguments: [IDType.int64, .bytes], 0..<3)
  func randomRulesTakeWhatTheReferenceSays(type: IDType, seed: Int) throws {
    var random = SeededGenerator(seed: UInt64(100 + seed))
    let database = try scratch.open(budget: seed == 0 ? 64 << 20 : 600_000)
    let table = try database.table(
      "t", TableConfiguration(dimension: 20, idType: type, seed: 7, optimizer: .adagrad()))
    var reference = ReferenceTable(table.configuration)
    var evicted = 0
    for step in 1...Int64(30) {
      try train(table, &reference, step: step, &random)
      try database.commit(step: step)
      guard step % 2 == 0 else { continue }
      if random.oneIn(4) {
        let factor = Double.random(in: 0.3...1, using: &random)
        try table.decayFrequencies(by: factor)
        reference.decayFrequencies(by: factor)
        #expect(try reference.difference(from: table) == nil)
        #expect(try brokenInvariant(of: table) == nil)
      }
      let rule = EvictionRule.random(rows: reference.rows.count, &random)
      let before = reference
      let predicted = try table.evict(rule, dryRun: true, sample: 20)
      #expect(try before.difference(from: table) == nil, "a dry run changed the table")
      let report = try table.evict(rule, sample: 20)
      let taken = reference.taken(by: rule, step: step)
      #expect(report.evicted == taken.count, "\(rule)")
      #expect(report.rowsBefore == before.rows.count)
      #expect(reference.evict(rule, step: step) == report.evicted)
      #expect(try reference.difference(from: table) == nil, "\(rule)")
      #expect(try brokenInvariant(of: table) == nil)
      #expect(try table.count == report.rowsLeft)
      evicted += report.evicted
      expectEqual(predicted, report)
      expect(report, describes: taken, of: before)
      // What is cached and what is not read alike.
      let ids = (0..<900).map { self.id($0, type) }
      let vectors = try table.lookup(IDColumn(ids, type: type))
      #expect(vectors == reference.lookup(ids, mode: .serving))
    }
    #expect(try database.statistics().tables[0].evictedRows == UInt64(evicted))
    try database.close()
    let reopened = try scratch.open()
    #expect(try reference.difference(from: try reopened.table("t")) == nil)
    #expect(try reopened.statistics().tables[0].evictedRows == UInt64(evicted))
    let verification = try reopened.verify()
    #expect(verification.problems.isEmpty, "\(verification)")
  }

  private func expectEqual(_ predicted: EvictionReport, _ report: EvictionReport) {
    #expect(predicted.isDryRun && !report.isDryRun)
    #expect(predicted.evicted == report.evicted && predicted.rowsLeft == report.rowsLeft)
    #expect(predicted.tooOld == report.tooOld && predicted.tooRare == report.tooRare)
    #expect(predicted.tooSmall == report.tooSmall)
    #expect(predicted.beyondTarget == report.beyondTarget)
    #expect(predicted.frequencies == report.frequencies && predicted.ages == report.ages)
    #expect(predicted.sample == report.sample && predicted.bytesFreed == report.bytesFreed)
  }

  private func expect(
    _ report: EvictionReport, describes taken: Set<EmbeddingID>, of before: ReferenceTable
  ) {
    #expect(report.frequencies.reduce(0) { $0 + $1.count } == taken.count)
    #expect(report.ages.reduce(0) { $0 + $1.count } == taken.count)
    for bin in report.frequencies {
      let count = taken.count { bin.range.contains(before.rows[$0]!.frequency) }
      #expect(bin.count == count)
    }
    for bin in report.ages {
      let count = taken.count {
        bin.range.contains(UInt64(max(0, report.step - before.rows[$0]!.lastStep)))
      }
      #expect(bin.count == count)
    }
    #expect(report.sample.count == min(20, taken.count))
    #expect(Set(report.sample).count == report.sample.count)
    #expect(report.sample.allSatisfy { taken.contains($0) })
  }

  @Test func whatWasTrainedBeforeIsCommittedFirst() throws {
    let database = try scratch.open()
    let table = try database.table("t", plain)
    let other = try database.table("other", plain)
    try table.update(IDColumn([1, 2, 2]), gradients: [Float](repeating: 1, count: 12), step: 3)
    try other.set([5], to: 2)
    let report = try table.evict(.seenFewerThan(1))
    #expect(report.evicted == 0 && report.rowsBefore == 2)
    #expect(try database.lastCommit.batches > 0)
    try database.close()
    let reopened = try scratch.open()
    #expect(try reopened.table("t").count == 2)
    #expect(try reopened.table("other").value(5) == 2)
  }

  @Test func freedRowsAreUsedAgain() throws {
    let database = try scratch.open()
    let table = try database.table("t", plain)
    var sizes: [Int] = []
    for round in 0..<12 {
      let first = Int64(round * 20_000)
      try table.set(first..<first + 20_000, to: 1, step: Int64(round) + 1)
      try database.commit(step: Int64(round) + 1)
      try table.evict(.keeping(rows: 20_000, .newest))
      #expect(try table.count == 20_000)
      sizes.append(try database.statistics().storage.fileSize)
      let blocks = try database.statistics().tables[0].blockBytes
      #expect(blocks < 2 * 20_000 * 40 + 100_000)
    }
    // The pages that an eviction frees are used again two commits later. What grows is the list of
    // deleted ids that is kept for deltas: 8 bytes each.
    #expect(sizes[11] - sizes[5] <= 6 * 20_000 * 8 + 100_000, "\(sizes)")
  }

  @Test(arguments: [IDType.int64, .bytes])
  func deltasCarryWhatWasEvictedAndDecayed(type: IDType) throws {
    let database = try scratch.open()
    let copy = Scratch()
    let copied = try copy.open()
    let configuration = TableConfiguration(dimension: 8, idType: type, optimizer: .adagrad())
    let table = try database.table("\(type)", configuration)
    var reference = ReferenceTable(configuration)
    var random = SeededGenerator(seed: 4)
    for step in 1...Int64(4) {
      try train(table, &reference, step: step, &random)
      try database.commit(step: step)
    }
    let full = scratch.directory.path + "/\(type).embsnap"
    try table.exportSnapshot(full)
    let target = try copied.table("\(type)", configuration)
    try target.importSnapshot(full)
    try table.decayFrequencies(by: 0.5)
    reference.decayFrequencies(by: 0.5)
    #expect(
      try table.evict(.seenFewerThan(1)).evicted == reference.evict(.seenFewerThan(1), step: 4))
    try train(table, &reference, step: 5, &random)
    try database.commit(step: 5)
    let delta = scratch.directory.path + "/\(type).delta.embsnap"
    let written = try table.exportSnapshot(delta, SnapshotExportOptions(since: .snapshot(full)))
    #expect(written.file.deletionCount > 0)
    try target.importSnapshot(delta)
    #expect(try reference.difference(from: target) == nil)
    #expect(try brokenInvariant(of: target) == nil)
  }

  @Test func evictedIDsStartAnew() throws {
    let database = try scratch.open()
    let table = try database.table(
      "t", TableConfiguration(dimension: 4, idType: .int64, seed: 2, optimizer: .adagrad()))
    let initial = try table.lookup(IDColumn([1, 2]))
    try table.update(IDColumn([1, 2]), gradients: [Float](repeating: 1, count: 8), step: 1)
    try table.update(IDColumn([2]), gradients: [Float](repeating: 1, count: 4), step: 9)
    try database.commit(step: 9)
    #expect(try table.evict(.olderThan(steps: 7)).sample == [.int64(1)])
    #expect(try table.evict(.olderThan(steps: 0)).evicted == 0)
    #expect(try table.lookup(IDColumn([1])) == Array(initial[0..<4]))
    #expect(try table.metadata(IDColumn([1]))[0].isPresent == false)
    #expect(try table.lookup(IDColumn([2])) != Array(initial[4..<8]))
    try table.update(IDColumn([1]), gradients: [Float](repeating: 1, count: 4), step: 10)
    #expect(try table.metadata(IDColumn([1]))[0].frequency == 1)
  }

  @Test func rulesThatCannotBeAreRefused() throws {
    let table = try scratch.open().table("t", plain)
    for rule: EvictionRule in [
      .olderThan(steps: -1), .normBelow(-1), .normBelow(.nan), .keeping(rows: -2, .newest),
    ] {
      #expect(code { try table.evict(rule) } == .invalidArgument)
    }
    #expect(code { try table.decayFrequencies(by: 1.5) } == .invalidArgument)
    #expect(code { try table.decayFrequencies(by: .nan) } == .invalidArgument)
    #expect(try table.evict(.nothing).evicted == 0)
  }

  @Test func extremeCountsAreHandled() throws {
    let table = try scratch.open().table("t", plain)
    var batch = RowBatch(idType: .int64, dimension: 4, slotCount: 0)
    let steps: [Int64] = [.min, -1, 0, 1, .max]
    let frequencies: [UInt64] = [0, 1, 1 << 40, .max - 1, .max]
    batch.ids = IDColumn([1, 2, 3, 4, 5])
    batch.vectors = [Float](repeating: 1, count: 20)
    batch.lastSteps = steps
    batch.frequencies = frequencies
    try table.importRows(ImportOptions()) { () throws(EmbeddingError) -> RowSource in
      var isGiven = false
      let rows = batch
      return { (batch, _) throws(EmbeddingError) in
        defer { isGiven = true }
        batch = rows
        return !isGiven
      }
    }
    #expect(try table.evict(.olderThan(steps: .max), dryRun: true).sample == [.int64(1)])
    #expect(try table.evict(.olderThan(steps: 0), dryRun: true).evicted == 2)
    #expect(
      try table.evict(.keeping(rows: 2, .mostFrequent), dryRun: true).sample
        == [.int64(1), .int64(2), .int64(3)])
    #expect(
      try table.evict(.keeping(rows: 1, .newest), dryRun: true).sample
        == [.int64(1), .int64(2), .int64(3), .int64(4)])
    try table.decayFrequencies(by: 1)
    #expect(try table.metadata(batch.ids).map(\.frequency) == frequencies)
    try table.decayFrequencies(by: 0.5)
    #expect(
      try table.metadata(batch.ids).map(\.frequency) == [0, 0, 1 << 39, 1 << 63, 1 << 63])
    #expect(try brokenInvariant(of: table) == nil)
  }
}
