import StorageBase
import TestSupport
import Testing

@testable import Embeddings

/// Lookups that go past the cache, because nothing has changed since the last commit.
@Suite struct CommittedLookupTests {
  let scratch = Scratch()

  private let configuration = TableConfiguration(
    dimension: 24, idType: .int64, initializer: .constant(0.5), optimizer: .sgd(learningRate: 1))

  /// A table of 20,000 rows, row `i` of which holds `i`, in a database with room for a few.
  private func table() throws -> EmbeddingTable {
    let database = try scratch.open(budget: 1 << 20)
    let table = try database.table("rows", configuration)
    let ids = Array(1...20_000 as ClosedRange<Int64>)
    for start in stride(from: 0, to: ids.count, by: 1000) {
      let part = Array(ids[start..<start + 1000])
      try table.assign(
        IDColumn(part), vectors: part.flatMap { [Float](repeating: Float($0), count: 24) }, step: 1)
    }
    try database.commit(step: 1)
    return table
  }

  private func check(
    _ table: EmbeddingTable, _ ids: [Int64], _ expected: (Int64) -> Float, _ note: String
  ) throws {
    let vectors = try table.lookup(IDColumn(ids), mode: .serving)
    let wrong = ids.indices.filter { i in
      let value = expected(ids[i])
      return !(0..<24).allSatisfy { vectors[24 * i + $0] == value }
    }
    #expect(wrong.isEmpty, "\(note): \(wrong.count) of \(ids.count), first \(wrong.first ?? 0)")
  }

  /// Makes the next lookups go past the cache if they may.
  private func adviseAgainstCache(_ table: EmbeddingTable) {
    table.core.cacheAdvice.note(hits: 0, misses: 1000, missTime: .zero)
  }

  @Test func trainingIsSeenBeforeAndAfterItsCommit() throws {
    let table = try table()
    var random = SeededGenerator(seed: 7)
    var expected: [Int64: Float] = [:]
    for step in 2..<40 {
      let changed = (0..<50).map { _ in Int64.random(in: 1...20_500, using: &random) }
      let distinct = Array(Set(changed))
      if step % 7 == 0 {
        try table.delete(distinct)
        for id in distinct { expected[id] = 0.5 }
      } else {
        try table.assign(
          IDColumn(distinct), vectors: [Float](repeating: Float(-step), count: 24 * distinct.count),
          step: Int64(step))
        for id in distinct { expected[id] = Float(-step) }
      }
      func value(_ id: Int64) -> Float { expected[id] ?? (id <= 20_000 ? Float(id) : 0.5) }
      // Of every size around that of a group.
      let ids =
        distinct + (0..<300 + step).map { _ in Int64.random(in: 1...20_500, using: &random) }
      adviseAgainstCache(table)
      #expect(!table.cache.counts.areAllCommitted)
      try check(table, ids, value, "before commit \(step)")
      if step % 3 == 0 { continue }
      try table.database.commit(step: Int64(step))
      #expect(table.cache.counts.areAllCommitted)
      for round in 0..<2 {
        adviseAgainstCache(table)
        try check(table, ids, value, "after commit \(step), \(round)")
      }
    }
  }

  @Test func aThreadSeesItsOwnUpdatesBesideCommits() throws {
    let table = try table()
    let database = table.database
    var threads = [0, 1, 2]
    let problem = inThreads(&threads) { thread, _ -> String? in
      do {
        if thread == 2 {
          for step in 2..<60 { try database.commit(step: Int64(step), wait: step % 2 == 0) }
          return nil
        }
        // Each thread has ids of its own.
        let ids = (0..<400).map { Int64($0 * 2 + thread + 1) }
        for round in 1..<60 {
          let value = Float(1_000_000 * (thread + 1) + round)
          try table.assign(
            IDColumn(ids), vectors: [Float](repeating: value, count: 24 * ids.count), step: 1)
          for _ in 0..<3 {
            adviseAgainstCache(table)
            try check(table, ids, { _ in value }, "thread \(thread), round \(round)")
          }
        }
        return nil
      } catch { return "\(error)" }
    }
    #expect(problem == nil)
    try database.waitForCommits()
  }

  @Test func aCacheWithRoomIsFilledWhateverTheAdvice() throws {
    let path = scratch.path
    do { try table().database.close() }
    let database = try EmbeddingDatabase(at: path, options: .init(cacheBudget: 64 << 20))
    let table = try database.table("rows", configuration)
    for start in stride(from: 1, to: 20_000, by: 500) as StrideTo<Int64> {
      adviseAgainstCache(table)
      try check(table, Array(start..<start + 500), { Float($0) }, "from \(start)")
    }
    #expect(table.cache.rowCount == 20_000)
    try database.close()
  }

  @Test func rowNumbersAreFilledOnceManyWereLookedFor() throws {
    let path = scratch.path
    do { try table().database.close() }
    let database = try EmbeddingDatabase(at: path, options: .init(cacheBudget: 2 << 20))
    let table = try database.table("rows", configuration)
    var start: Int64 = 1
    while !table.core.locations.isFilled {
      let ids = Array(start..<start + 500)
      try check(table, ids, { Float($0) }, "from \(start)")
      start = start == 19_501 ? 1 : start + 500
    }
    let numbers = try #require(table.core.locations.knownNumbers)
    let known = (1...20_000 as ClosedRange<Int64>).count { id in
      var candidates = numbers.candidates(RowKey(int64: id).hash)
      return candidates.next() != nil
    }
    #expect(known > 19_800)
    try check(table, Array(1...20_000), { Float($0) }, "all")
    try database.close()
  }

  @Test func adviceFollowsHitsAndTime() {
    let advice = CacheAdvice()
    #expect(!advice.takeBatchWithout())
    advice.note(hits: 10, misses: 990, missTime: .microseconds(200))
    #expect((0..<20).count { _ in advice.takeBatchWithout() } == 15)
    advice.note(hits: 10, misses: 990, missTime: .milliseconds(2))
    #expect(!advice.takeBatchWithout())
    advice.note(hits: 400, misses: 600, missTime: .zero)
    #expect(!advice.takeBatchWithout())
    advice.note(hits: 10, misses: 990, missTime: .zero)
    #expect(advice.takeBatchWithout())
    advice.note(rows: 1000, time: .milliseconds(5))
    #expect(!advice.takeBatchWithout())
  }

  @Test func theLessChangesTheFewerBatchesAskTheCache() {
    let advice = CacheAdvice()
    func batchesWithout(hits: Int) -> Int {
      advice.note(hits: hits, misses: 1000 - hits, missTime: .zero)
      return (0..<300).count { _ in advice.takeBatchWithout() }
    }
    #expect([40, 42, 38, 41, 40, 43].map(batchesWithout) == [15, 31, 63, 127, 127, 127])
    // A cache that is warming up is asked more often.
    #expect([80, 130, 200].map(batchesWithout) == [15, 15, 15])
    #expect([200, 100].map(batchesWithout) == [31, 63])
    #expect(batchesWithout(hits: 500) == 0)
    #expect(batchesWithout(hits: 100) == 15)
  }
}
