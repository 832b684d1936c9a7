import LMDB
import StorageBase
import TestSupport
import Testing

@testable import Embeddings

/// Imports under limits so small that every path is taken: batches that end within blocks, ids that
/// go into the tree in many runs, blocks written ahead, sources that give more than they were asked.
@Suite struct ImportPathTests {
  let scratch = Scratch()

  private static let limits: [ImportLimits] = [
    ImportLimits(),
    ImportLimits(batchRows: 7, partRows: 3, bytesAhead: 1, idCount: 1, idBytes: 1),
    ImportLimits(batchRows: 1, partRows: 1),
    ImportLimits(partRows: 50, bytesAhead: 10_000, idCount: 64, idBytes: 1 << 20),
    ImportLimits(batchRows: 400, partRows: 401, idCount: 1 << 20, idBytes: 900),
  ]

  private func configuration(_ idType: IDType) -> TableConfiguration {
    TableConfiguration(
      dimension: 30, idType: idType, seed: 3, optimizer: .adagrad(learningRate: 0.1))
  }

  private func id(_ number: Int, _ type: IDType) -> EmbeddingID {
    type == .int64 ? .int64(Int64(number &* 0x5851_F42D)) : EmbeddingID("id \(number)")
  }

  /// Batches of random sizes whose ids repeat within and across them.
  private func batches(
    _ type: IDType, _ random: inout SeededGenerator, ids: Int, withMetadata: Bool
  ) -> [RowBatch] {
    (0..<12).map { _ in
      var batch = RowBatch(idType: type, dimension: 30, slotCount: 30)
      let count = Int.random(in: 0...150, using: &random)
      batch.ids = IDColumn(
        (0..<count).map { _ in id(Int.random(in: 0..<ids, using: &random), type) }, type: type)
      batch.vectors = random.floats(count * 30)
      if withMetadata {
        batch.slots = random.floats(count * 30)
        batch.frequencies = (0..<count).map { _ in UInt64.random(in: 0...9, using: &random) }
        batch.lastSteps = (0..<count).map { _ in Int64.random(in: -9...9, using: &random) }
      }
      return batch
    }
  }

  @Test(arguments: [IDType.int64, .bytes], limits.indices)
  func everyPathGivesWhatTheReferenceDoes(type: IDType, number: Int) throws {
    try compareWithTheReference(type, number)
  }

  @Test(arguments: [IDType.int64, .bytes], limits.indices)
  func soDoesAnImportThatGetsNoThreads(type: IDType, number: Int) throws {
    try ThreadFaults.refuse { try compareWithTheReference(type, number) }
  }

  @Test(arguments: [IDType.int64, .bytes], limits.indices)
  func soDoesOneWhoseBlocksGoThroughLMDB(type: IDType, number: Int) throws {
    try compareWithTheReference(type, number, leavesBlocksToLMDB: true)
  }

  private func compareWithTheReference(
    _ type: IDType, _ number: Int, leavesBlocksToLMDB: Bool = false
  ) throws {
    let limits = Self.limits[number]
    let database = try scratch.open(leavesBlocksToLMDB: leavesBlocksToLMDB)
    let table = try database.table("t", configuration(type))
    var reference = ReferenceTable(table.configuration)
    var random = SeededGenerator(seed: 77 + UInt64(number))
    for (round, existing) in [ImportOptions.Existing.replace, .replace, .keep, .replace]
      .enumerated()
    {
      let options = ImportOptions(existing: existing, step: Int64(round))
      let batches = batches(type, &random, ids: 600 + 200 * round, withMetadata: round % 2 == 1)
      let summary = try table.importRows(options, limits: limits) {
        () throws(EmbeddingError) -> RowSource in
        var next = 0
        return { (batch, _) throws(EmbeddingError) in
          guard next < batches.count else { return false }
          batch = batches[next]
          next += 1
          return true
        }
      }
      #expect(summary == reference.importRows(batches, options))
      #expect(try reference.difference(from: table) == nil)
      #expect(try brokenInvariant(of: table) == nil)
    }
    try database.close()
    let reopened = try scratch.open()
    let again = try reopened.table("t")
    #expect(try reference.difference(from: again) == nil)
    let report = try reopened.verify()
    #expect(report.problems.isEmpty, "\(report)")
  }

  @Test func blocksThatEachBatchReplacesAreWrittenWhereTheyStand() throws {
    let database = try scratch.open()
    let table = try database.table("t", configuration(.int64))
    let count = 4_000
    /// Rows in twenty batches, each of which has some of every block.
    func load(_ existing: ImportOptions.Existing, _ value: Float) throws {
      try table.importRows(
        ImportOptions(existing: existing),
        limits: ImportLimits(batchRows: count / 20, bytesAhead: 100_000)
      ) { () throws(EmbeddingError) -> RowSource in
        var part = 0
        return { (batch, _) throws(EmbeddingError) in
          guard part < 20 else { return false }
          for i in stride(from: part, to: count, by: 20) {
            batch.ids.append(Int64(i))
            batch.vectors += [Float](repeating: value, count: 30)
          }
          part += 1
          return true
        }
      }
    }
    try load(.refuse, 1)
    let before = try database.environment.statistics().lastPage
    try load(.replace, 2)
    // The pages of one commit more, and some for those on the way.
    #expect(try database.environment.statistics().lastPage < 3 * before)
    try table.forEachBatch(ofAtMost: 512, includingSlots: false) { (batch) in
      #expect(batch.vectors.allSatisfy { $0 == 2 })
      return true
    }
    #expect(try brokenInvariant(of: table) == nil)
  }

  @Test func anImportTakesAFractionOfASmallBudget() {
    let all = ImportLimits()
    let large = all.within(CacheBudget(bytes: 1 << 30))
    #expect(large.bytesAhead == all.bytesAhead && large.batchBytes == all.batchBytes)
    let small = all.within(CacheBudget(bytes: 16 << 20))
    #expect(7 * small.batchBytes + small.bytesAhead <= 7 << 20)
    let least = all.within(CacheBudget(bytes: 1))
    #expect(least.batchBytes >= 1 << 16 && least.bytesAhead >= 1 << 20)
  }

  @Test(arguments: limits.indices)
  func rowsKeepTheOrderOfTheSource(number: Int) throws {
    let table = try scratch.open().table("t", plain)
    let ids = (0..<5_000).map { Int64(bitPattern: mix64(UInt64($0))) }
    try table.importRows(ImportOptions(), limits: Self.limits[number]) {
      () throws(EmbeddingError) -> RowSource in
      var next = 0
      return { (batch, limit) throws(EmbeddingError) in
        let end = min(next + limit, ids.count)
        for i in next..<end {
          batch.ids.append(ids[i])
          batch.vectors += [Float(i), 0, 0, 1]
        }
        defer { next = end }
        return next < end
      }
    }
    var seen: [Int64] = []
    try table.forEachBatch(ofAtMost: 512, includingSlots: false) { (batch) in
      #expect(batch.vectors[0] == Float(seen.count))
      seen += batch.ids.int64s
      return true
    }
    #expect(seen == ids)
    #expect(try brokenInvariant(of: table) == nil)
  }

  @Test(arguments: limits.indices)
  func anImportThatFailsHalfWayLeavesNothing(number: Int) throws {
    try failHalfWay(number)
  }

  @Test(arguments: limits.indices)
  func norDoesOneWithoutThreads(number: Int) throws {
    try ThreadFaults.refuse { try failHalfWay(number) }
  }

  private func failHalfWay(_ number: Int) throws {
    let table = try scratch.open().table("t", plain)
    try table.set(0..<100, to: 1)
    try table.database.commit(step: 1)
    for failsInSource in [true, false] {
      let thrown = code { () throws(EmbeddingError) in
        try table.importRows(ImportOptions(), limits: Self.limits[number]) {
          () throws(EmbeddingError) -> RowSource in
          var next: Int64 = 50
          return { (batch, limit) throws(EmbeddingError) in
            for _ in 0..<min(limit, 100) {
              batch.ids.append(next)
              batch.vectors += [2, 2, 2, !failsInSource && next == 900 ? .nan : 2]
              next += 1
            }
            if next > 1_000 { throw EmbeddingError(.cancelled, "the source fails") }
            return true
          }
        }
      }
      #expect(thrown == (failsInSource ? .cancelled : .invalidArgument))
      #expect(try table.count == 100)
      #expect(try table.value(60) == 1)
      #expect(try brokenInvariant(of: table) == nil)
    }
  }

  @Test func anImportBeginsAnewWhereTheMapGrows() throws {
    let database = try scratch.open(mapSize: 256 << 10)
    let table = try database.table("t", plain)
    var starts = 0
    try table.importRows(ImportOptions(), limits: Self.limits[3]) {
      () throws(EmbeddingError) -> RowSource in
      starts += 1
      var next: Int64 = 0
      return { (batch, limit) throws(EmbeddingError) in
        for _ in 0..<limit where next < 40_000 {
          batch.ids.append(next)
          batch.vectors += [Float(next), 0, 0, 0]
          next += 1
        }
        return batch.count > 0
      }
    }
    #expect(starts > 1)
    #expect(try table.count == 40_000)
    #expect(try table.value(39_999) == 39_999)
    #expect(try brokenInvariant(of: table) == nil)
  }

  /// Two byte strings of the same XXH3 are not to be had; their keys are forced to be equal here.
  @Test func idsOfOneHashShareAnEntryWithinARunAndAcrossRuns() throws {
    let table = try scratch.open().table("t", configuration(.bytes))
    let storage = table.storage
    let column = IDColumn(["one", "two", "three", "two", "four", "five"])
    let keys = [UInt64](repeating: 42, count: column.count)
    try table.database.environment.write { (transaction) throws(EmbeddingError) in
      var ids = ImportedIDs(storage: storage, limits: ImportLimits(), firstRow: 0)
      try column.batch.withUnsafeIDs { (batch) throws(EmbeddingError) in
        var fresh: [UInt32] = []
        ids.add(batch, keys: keys, first: 0, positions: [0, 1, 2, 3], fresh: &fresh)
        #expect(fresh == [0, 1, 2])
        try ids.enter(in: transaction) {}
        ids.add(batch, keys: keys, first: 0, positions: [4, 5], fresh: &fresh)
        try ids.enter(in: transaction) {}
        for (row, position) in fresh.enumerated() {
          let key = RowKey(key: 42, bytes: batch.bytes(Int(position)))
          let found = try storage.row(of: key, in: transaction)
          #expect(found == UInt64(row))
        }
      }
    }
  }
}
