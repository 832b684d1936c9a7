import Foundation
import TestSupport
import Testing

@testable import Embeddings

@Suite struct NearestTests {
  let directory = TemporaryDirectory()
  let database: EmbeddingDatabase

  init() throws { database = try openDatabase(directory.path) }

  /// Vectors of small integers, so that dot products are exact and ties are many.
  private func fill(
    _ store: some EmbeddingStore, _ count: Int, seed: UInt64 = 1
  ) throws -> [[Float]] {
    var generator = Xoshiro256(seed: seed)
    let vectors = (0..<count).map { _ in
      (0..<store.configuration.dimension).map { _ in Float(generator.next(below: 7)) - 3 }
    }
    try store.assign((0..<Int64(count)).map { $0 * 3 }, vectors: vectors)
    return vectors
  }

  private func score(_ x: [Float], _ y: [Float], _ metric: SimilarityMetric) -> Double {
    let pairs = zip(x, y).map { (Double($0), Double($1)) }
    let dot = pairs.reduce(0) { $0 + $1.0 * $1.1 }
    switch metric {
    case .dot: return dot
    case .euclidean:
      return pairs.reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
    case .cosine:
      let norms = [x, y].map { $0.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot() }
      return norms.contains(0) ? 0 : dot / norms[0] / norms[1]
    }
  }

  @Test(arguments: SimilarityMetric.allCases, [1, 3, 16, 17, 50])
  func neighborsAreThoseOfABruteForceSearch(metric: SimilarityMetric, dimension: Int) throws {
    let table = try database.plainTable("t", dimension, .int64)
    let memory = try MemoryEmbeddingStore(table.configuration)
    let vectors = try fill(table, 700)
    _ = try fill(memory, 700)
    try database.commit(step: 1)
    // Row numbers are the store's own, so ids are ranked by the rows found.
    let rows = try StoredRows(table).ids
    let queries = [vectors[5], vectors[650], Array(repeating: 0.25, count: dimension)]
    let lists = try table.nearest(toEach: queries.flatMap { $0 }, count: 20, metric: metric)
    let inMemory = try memory.nearest(toEach: queries.flatMap { $0 }, count: 20, metric: metric)
    #expect(lists.count == 3)
    for (query, (list, other)) in zip(queries, zip(lists, inMemory)) {
      #expect(list.count == 20)
      let all = rows.enumerated().map { row, id -> (row: Int, score: Double) in
        guard case .int64(let id) = id else { return (row, 0) }
        return (row, score(query, vectors[Int(id) / 3], metric))
      }
      let sign: Double = metric == .euclidean ? 1 : -1
      let best = all.sorted { (sign * $0.score, $0.row) < (sign * $1.score, $1.row) }.prefix(20)
      for (neighbor, expected) in zip(list, best) {
        #expect(abs(Double(neighbor.score) - expected.score) <= 1e-5)
        let row = try #require(neighbor.row)
        #expect(rows[row] == neighbor.id)
        #expect(abs(all[row].score - expected.score) <= 1e-5)
        // Integers are exact, and so are ties among them.
        if metric == .dot { #expect(row == expected.row) }
      }
      #expect(other.map(\.score) == list.map(\.score))
      #expect(other.allSatisfy { $0.row == nil })
    }
  }

  @Test func tiesComeInRowOrderWhateverTheThreads() throws {
    let table = try database.plainTable("t", 2, .int64)
    _ = try fill(table, 5000)
    try database.commit(step: 1)
    for metric in SimilarityMetric.allCases {
      let alone = try table.scanBlocks(
        [1, 2, -1, 0], count: 300, metric: metric, excluding: [3, 30], threads: 1)
      for list in alone {
        for (a, b) in zip(list, list.dropFirst()) where a.score == b.score {
          #expect(a.row! < b.row!)
        }
        #expect(!list.contains { $0.id == 3 || $0.id == 30 })
      }
      for threads in [2, 3, 7, 64] {
        let shared = try table.scanBlocks(
          [1, 2, -1, 0], count: 300, metric: metric, excluding: [3, 30], threads: threads)
        #expect(shared == alone)
      }
    }
  }

  @Test func largeTableIsSearchedByThreads() throws {
    let table = try database.plainTable("t", 2, .int64)
    let count = EmbeddingTable.rowsForThreads + 1000
    for start in stride(from: 0, to: count, by: 1000) {
      try table.assign(
        (start..<start + 1000).map { Int64($0) },
        vectors: (start..<start + 1000).map { [Float($0 % 1000), Float($0 / 1000)] })
    }
    try database.commit(step: 1)
    let nearest = try table.nearest(to: [321.25, 49.125], count: 3, metric: .euclidean)
    #expect(nearest.map(\.id) == [49321, 49322, 50321])
  }

  @Test func rowIsNotItsOwnNeighborAndExcludedOnesAreNone() throws {
    let table = try database.plainTable("t", 3, .bytes)
    try table.assign(
      ["king", "queen", "man", "woman", "apple"],
      vectors: [[1, 1, 0], [1, -1, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1]])
    try database.commit(step: 1)
    let stores: [any EmbeddingStore] = [table, try copy(table)]
    for store in stores {
      #expect(try store.nearest(to: "king", count: 1).map(\.id) == ["man"])
      #expect(
        try store.nearest(to: "king", count: 9, excluding: ["man", "nobody"]).map(\.id.description)
          .sorted() == ["apple", "queen", "woman"])
      // king - man + woman
      let analogy = try store.nearest(
        to: [1, -1, 0], count: 1, excluding: ["king", "man", "woman"])
      #expect(analogy.map(\.id) == ["queen"])
      #expect(thrownError { _ = try store.nearest(to: "prince") }?.code == .notFound)
    }
  }

  @Test func onlyTheLastCommitIsSearched() throws {
    let table = try database.plainTable("t", 2, .int64)
    try table.assign([1], vectors: [[1, 0]])
    #expect(try table.nearest(to: [1, 0]).isEmpty)
    try database.commit(step: 1)
    try table.assign([2], vectors: [[1, 0]])
    #expect(try table.nearest(to: [1, 0]).map(\.id) == [1])
    #expect(try table.nearest(to: 2).map(\.id) == [1])
  }

  @Test func hugeAndZeroVectorsHaveACosine() throws {
    let table = try database.plainTable("t", 2, .int64)
    try table.assign([1, 2, 3], vectors: [[0, 0], [1e-18, 1e-18], [1e18, -1e18]])
    try database.commit(step: 1)
    let nearest = try table.nearest(to: [3e38, 3e38])
    #expect(
      try table.nearest(to: [Float(bitPattern: 7), Float(bitPattern: 7)]).map(\.id)
        == nearest.map(\.id))
    #expect(nearest.map(\.id) == [2, 1, 3] || nearest.map(\.id) == [2, 3, 1])
    #expect(abs(nearest[0].score - 1) < 1e-5)
    #expect(try table.nearest(to: [0, 0]).map(\.score) == [0, 0, 0])
  }

  @Test func whatIsNoQueryIsRefused() throws {
    let table = try database.plainTable("t", 2, .int64)
    for query: [Float] in [[1], [1, 2, 3, 4], [.nan, 1], [1, .infinity], []] {
      #expect(thrownError { _ = try table.nearest(to: query) }?.code == .invalidArgument)
    }
    #expect(thrownError { _ = try table.nearest(to: [1, 2], count: -1) }?.code == .invalidArgument)
    #expect(
      thrownError { _ = try table.nearest(to: [1, 2], excluding: ["x"]) }?.code == .invalidArgument)
    #expect(thrownError { _ = try table.nearest(to: "x") }?.code == .invalidArgument)
    #expect(try table.nearest(to: [1, 2], count: 0).isEmpty)
    #expect(try table.nearest(toEach: []).isEmpty)
  }

  private func copy(_ table: EmbeddingTable) throws -> MemoryEmbeddingStore {
    let store = try MemoryEmbeddingStore(table.configuration)
    try table.forEachBatch(ofAtMost: 100, includingSlots: false) {
      (batch) throws(EmbeddingError) -> Bool in
      try store.assign(batch.ids, vectors: batch.vectors)
      return true
    }
    return store
  }
}
