import Glibc
import StorageBase
import TestSupport
import Testing

@testable import Embeddings

@Suite struct PrefetchTests {
  let scratch = Scratch()

  private func waitUntilIdle(_ table: EmbeddingTable) {
    while !table.core.prefetches.isIdle { usleep(500) }
  }

  @Test(arguments: [IDType.int64, .bytes])
  func prefetchedRowsAreInTheCacheAndAbsentIDsStayAbsent(idType: IDType) throws {
    var configuration = TableConfiguration(dimension: 4)
    configuration.idType = idType
    func column(_ range: Range<Int>) -> IDColumn {
      IDColumn(
        range.map { idType == .int64 ? .int64(Int64($0)) : EmbeddingID("id \($0)") }, type: idType)
    }
    do {
      let database = try scratch.open(budget: 16 << 20)
      let table = try database.table("t", configuration)
      try table.assign(
        column(0..<1000), vectors: (0..<4000).map { Float($0) }, step: 1)
      try database.commit(step: 1)
      try database.close()
    }
    let database = try scratch.open(budget: 16 << 20)
    let table = try database.table("t")
    #expect(table.cache.rowCount == 0)
    table.prefetch(column(0..<700).batch)
    table.prefetch(column(900..<1200).batch)
    waitUntilIdle(table)
    #expect(table.cache.rowCount == 800)
    #expect(table.cache.heldCount == 0)
    #expect(try table.count == 1000)
    #expect(try table.lookup(column(650..<651)) == [2600, 2601, 2602, 2603])
  }

  @Test func prefetchingBesideTrainingLosesNothing() throws {
    let database = try scratch.open(budget: 256 << 10)
    let table = try database.table(
      "t", TableConfiguration(dimension: 16, idType: .int64, optimizer: .sgd(learningRate: 1)))
    let ids = (0..<40).map { round in
      IDColumn((0..<200).map { Int64(($0 * 31 + round * 7) % 3000) })
    }
    for round in 0..<400 {
      let next = ids[(round + 1) % 40]
      table.prefetch(next.batch)
      try table.update(
        ids[round % 40], gradients: [Float](repeating: -1, count: 3200), step: Int64(round + 1))
    }
    waitUntilIdle(table)
    try database.commit(step: 400)
    var sum: Float = 0
    try table.forEachBatch(ofAtMost: 500, includingSlots: false) { (batch) in
      for (i, frequency) in batch.frequencies.enumerated() {
        let initial = table.configuration.initializer.vector(
          dimension: 16, seed: table.configuration.seed, id: batch.ids[i])
        #expect(abs(batch.vectors[i * 16] - initial[0] - Float(frequency)) < 1e-3)
        sum += Float(frequency)
      }
      return true
    }
    #expect(sum == 400 * 200)
    #expect(try brokenInvariant(of: table) == nil)
  }

  @Test func aHintThatCannotBeFollowedHarmsNothing() throws {
    let database = try scratch.open()
    let table = try database.table("t", TableConfiguration(dimension: 4, idType: .int64))
    table.prefetch(IDColumn(["of another type"]).batch)
    table.prefetch(IDColumn([Int64]()).batch)
    table.prefetch(IDColumn([Int64(5)]).batch)
    waitUntilIdle(table)
    #expect(try table.count == 0)
    try database.close()
    table.prefetch(IDColumn([Int64(5)]).batch)
    waitUntilIdle(table)
  }
}
