import StorageBase
import TestSupport
import Testing

@testable import Embeddings

/// What happens to an id on its way to a row, one stage at a time. The model test mixes them.
@Suite struct LifeOfAnIDTests {
  private let directory = TemporaryDirectory()

  private func open(
    budget: Int = 4 << 20, _ change: (inout TableConfiguration) -> Void
  ) throws -> EmbeddingTable {
    var configuration = TableConfiguration(
      dimension: 4, idType: .int64, optimizer: .adagrad(learningRate: 0.5))
    change(&configuration)
    let database = try EmbeddingDatabase(
      at: directory.path + "/db",
      options: EmbeddingDatabase.Options(cacheBudget: budget, durability: .noSync))
    return try database.table("ids", configuration)
  }

  private func see(
    _ table: EmbeddingTable, _ ids: [Int64], step: Int64 = 1,
    counting: FrequencyCounting = .automatic
  ) throws {
    try table.update(
      ids, gradients: ids.map { _ in [1, 2, 3, 4] }, step: step, counting: counting)
  }

  private func committedCount(_ table: EmbeddingTable) throws -> Int {
    try table.database.read { (view) throws(EmbeddingError) in try view.count(of: "ids") }
  }

  private func initial(_ table: EmbeddingTable, _ id: Int64) -> [Float] {
    let configuration = table.configuration
    return configuration.initializer.vector(
      dimension: configuration.dimension, seed: configuration.seed, id: .int64(id))
  }

  @Test func aBloomFilterAdmitsOnTheSecondSighting() throws {
    let table = try open { $0.admission = .bloomFilter(expectedIDs: 1000) }
    try see(table, [7])
    #expect(try table.count == 0)
    #expect(try table.lookup([7], mode: .training) == [initial(table, 7)])
    try see(table, [7])
    #expect(try table.count == 1)
    #expect(try table.metadata(of: .int64(7)).frequency == 2)
  }

  @Test func aFilterGrowsBetweenCommits() throws {
    let admission = Admission.bloomFilter(expectedIDs: 500, falsePositiveRate: 0.01)
    let table = try open { $0.admission = admission }
    for start in stride(from: Int64(0), to: 20_000, by: 100) {
      try see(table, Array(start..<start + 100))
    }
    let filter = try #require(table.core.admission?.loadedFilter)
    #expect(filter.layerCount == 6, "500 ids, 1000, 2000 and so on: up to 31,500 in six layers")
    // Not one in a hundred was taken for another one.
    #expect(try table.count <= 200)
    let layers = filter.layerCount
    try table.database.commit(step: 1)
    #expect(filter.layerCount == layers)
  }

  @Test func duplicatesInABatchCountAsOftenAsTheyOccurUnlessToldOtherwise() throws {
    let table = try open { $0.admission = .counter(threshold: 3) }
    try see(table, [1, 1, 1, 2, 2])
    #expect(try table.contains(.int64(1)) && !table.contains(.int64(2)))
    try see(table, [3, 3, 3], counting: .updates)
    #expect(try !table.contains(.int64(3)))
    // "Do not count this batch": further epochs.
    for _ in 0..<5 { try see(table, [2, 2], counting: .none) }
    #expect(try !table.contains(.int64(2)))
    try see(table, [2])
    #expect(try table.contains(.int64(2)))
  }

  @Test func aRowIsWrittenAtTheFirstCommitAfterItReachesTheCutoff() throws {
    let table = try open { $0.cutoff = 3 }
    try see(table, [5, 5], step: 1)
    #expect(try table.metadata(of: .int64(5)).isOnProbation)
    let trained = try table.lookup([5])
    #expect(trained != [initial(table, 5)])
    try table.database.commit(step: 1)
    #expect(try committedCount(table) == 0)
    try see(table, [5], step: 2)
    #expect(try table.count == 1)
    try table.database.commit(step: 2)
    #expect(try committedCount(table) == 1)
    #expect(try table.metadata(of: .int64(5)).frequency == 3)
  }

  @Test func rowsOnProbationAreForgottenUnderPressureAndCounted() throws {
    let table = try open(budget: 256 << 10) { $0.cutoff = 2 }
    for start in stride(from: Int64(0), to: 20_000, by: 100) {
      try see(table, Array(start..<start + 100), step: start)
    }
    #expect(try table.count == 0)
    let life = table.core.admission!.life(in: table.cache)
    #expect(life.admitted == 20_000)
    #expect(life.forgotten > 15_000 && life.forgotten + life.onProbation == 20_000)
    // A quarter of the rows' half of the budget.
    let bytes = Int(life.onProbation) * table.cache.layout.rowBytes
    #expect(bytes <= table.database.budget.limit / 4)
    try table.database.commit(step: 20_000)
    #expect(try table.lookup([1]) == [initial(table, 1)])
  }

  @Test func anIDWithoutARowTrainsASharedOneAndStartsFromIt() throws {
    let table = try open {
      $0.sharedRows = 1
      $0.cutoff = 3
    }
    try see(table, [1, 2])
    let shared = try table.lookup([99])[0]
    #expect(try table.lookup([1, 2]) == [shared, shared])
    #expect(try table.count == 0)
    // Promoted: what it learned from here on is its own.
    try see(table, [1, 1])
    let own = try table.lookup([1])[0]
    #expect(try table.lookup([2])[0] == shared)
    #expect(own != shared)
    // The step was Adagrad's third, of an accumulator that was copied: 0.1 + (1 + 1)^2 + (1 + 1)^2.
    let step = 0.5 * 2 / (Float(0.1 + 4 + 4).squareRoot() + 1e-7)
    #expect(abs(shared[0] - own[0] - step) < 1e-6)
    #expect(try table.metadata(of: .int64(1)).frequency == 3)
  }

  @Test func whatIsCountedAndSharedIsInTheCommit() throws {
    let change: (inout TableConfiguration) -> Void = {
      $0.admission = .countingBloomFilter(threshold: 4, expectedIDs: 1000)
      $0.sharedRows = 3
    }
    var table = try open(change)
    try see(table, [1, 1, 1, 2, 2])
    try table.database.commit(step: 1)
    let committed = try table.lookup([1, 2, 3, 4, 5])
    try see(table, [2, 3, 3])  // lost
    try table.database.close()
    table = try open(change)
    #expect(try table.lookup([1, 2, 3, 4, 5]) == committed)
    try see(table, [1, 2, 3])
    #expect(try table.contains(.int64(1)))
    #expect(try !table.contains(.int64(2)) && !table.contains(.int64(3)))
  }

  @Test func aReaderInAnotherProcessReadsSharedRows() throws {
    let table = try open {
      $0.sharedRows = 2
      $0.cutoff = 10
    }
    try see(table, [1, 2, 3])
    try table.database.commit(step: 1)
    let committed = try table.lookup([1, 2, 3, 4])
    try table.database.close()
    let reader = try EmbeddingDatabase(at: table.database.path, options: .readOnly)
    let ids = try reader.table("ids")
    #expect(try ids.lookup([1, 2, 3, 4]) == committed)
    var vectors = [Float](repeating: 0, count: 16)
    var span = vectors.mutableSpan
    try reader.read { (view) throws(EmbeddingError) in
      try view.lookup(
        IDColumn([Int64(1), 2, 3, 4]).batch, in: ids, into: &span)
    }
    #expect(vectors == committed.flatMap { $0 })
  }

  @Test func anIDThatWasDeletedStartsAnew() throws {
    let table = try open { $0.cutoff = 2 }
    try see(table, [1, 1])
    try table.database.commit(step: 1)
    #expect(try table.delete([1]) == 1)
    // Its row is still to be deleted when it comes again.
    try see(table, [1], step: 2)
    #expect(try table.metadata(of: .int64(1)).isOnProbation)
    try table.database.commit(step: 2)
    #expect(try committedCount(table) == 0)
    #expect(try table.metadata(of: .int64(1)).frequency == 1)
    try see(table, [1], step: 3)
    try table.database.commit(step: 3)
    #expect(try committedCount(table) == 1)
    // And one that is on probation goes without a trace.
    try see(table, [8], step: 4)
    #expect(try table.delete([8]) == 0)
    #expect(try table.lookup([8]) == [initial(table, 8)])
  }

  @Test func anAssignedVectorIsWrittenWhateverTheTableAdmits() throws {
    let table = try open { $0.cutoff = 5 }
    try see(table, [1])
    try table.assign([1, 2], vectors: [[1, 1, 1, 1], [2, 2, 2, 2]])
    #expect(try table.count == 2)
    #expect(try table.lookup([1, 2]) == [[1, 1, 1, 1], [2, 2, 2, 2]])
    #expect(try table.metadata(of: .int64(1)).frequency == 1)
  }

  @Test func whatDoesNotFitTogetherIsRefused() throws {
    func refused(_ change: (inout TableConfiguration) -> Void) -> Bool {
      do {
        _ = try open(change)
        return false
      } catch { return (error as? EmbeddingError)?.code == .invalidConfiguration }
    }
    #expect(refused { $0.sharedRows = 5 })
    #expect(
      refused {
        $0.sharedRows = 5
        $0.cutoff = 2
        $0.admission = .probabilistic(threshold: 3)
      })
    #expect(refused { $0.sharedRows = -1 })
    #expect(refused { $0.admission = .counter(threshold: -1) })
    let table = try open {
      $0.sharedRows = 5
      $0.cutoff = 2
    }
    let database = table.database
    #expect(throws: EmbeddingError.self) { try database.dropTable("ids/shared") }
    #expect(throws: EmbeddingError.self) {
      try database.table("other/shared", TableConfiguration(dimension: 4))
    }
    try database.dropTable("ids")
    #expect(try database.tableNames == [])
  }
}
