import Testing

@testable import Embeddings

struct RankOrderTests {
  @Test(arguments: [[5], [3, 3, 3, 3, 3], [0, 0, 9, 0], [1, 2, 3, 4, 5, 6]] as [[UInt64]])
  func rowsComeByFallingFrequencyAndTiesByRowNumber(frequencies: [UInt64]) throws {
    try check(ArrayRows(frequencies))
  }

  @Test func frequenciesAroundAndBeyondTheCountingLimitAreOrdered() throws {
    var generator = Xoshiro256(seed: 4)
    var frequencies: [UInt64] = [65_534, 65_535, 65_536, 65_535, 65_534, .max, .max - 1, .max, 0]
    for _ in 0..<3000 { frequencies.append(generator.next() >> generator.next(below: 64)) }
    try check(ArrayRows(frequencies.shuffled(using: &generator), rowsPerBlock: 31))
  }

  private func check(_ rows: ArrayRows) throws {
    let order = try RankOrder(of: rows)
    #expect((0..<order.count).map { order.row(atRank: $0) } == rows.rowsByRank)
    for rank in 0..<order.count { #expect(order.rank(ofRow: order.row(atRank: rank)) == rank) }
    #expect(order.rank(ofRow: rows.count) == nil)
  }

  @Test func orderIsStaleOnceRowsOrUpdatesMovedByMoreThanTheTolerance() throws {
    let order = try RankOrder(of: ArrayRows([UInt64](repeating: 10, count: 100)))
    func isStale(_ count: Int, _ total: UInt64) -> Bool {
      order.isStale(count: count, totalFrequency: total, tolerance: 0.1)
    }
    #expect(!isStale(100, 1000))
    #expect(!isStale(110, 1100))
    #expect(isStale(111, 1000))
    #expect(isStale(100, 1101))
    #expect(isStale(100, 899))
    // Fewer rows: the order names rows that are gone.
    #expect(isStale(99, 1000))
  }
}
