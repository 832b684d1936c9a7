import TestSupport
import Testing

@testable import Embeddings

@Suite struct RowSetTests {
  @Test(arguments: [1, 63, 64, 65, 4_096, 4_097, 20_000], [1, 2, 7, 400])
  func aSetIsWhatAPlainOneIs(rowCount: Int, oneIn: Int) {
    var random = SeededGenerator(seed: UInt64(rowCount + oneIn))
    var set = RowSet(rowCount: UInt64(rowCount))
    var plain: Set<UInt64> = []
    for row in (0..<UInt64(rowCount)).shuffled(using: &random) where random.oneIn(oneIn) {
      let isNew = set.insert(row)
      if !isNew { Issue.record("row \(row) was not new") }
      plain.insert(row)
    }
    for row in plain.prefix(10) {
      let isNew = set.insert(row)
      #expect(!isNew)
    }
    #expect(set.count == plain.count)
    let sorted = plain.sorted()
    var walked: [UInt64] = []
    var next = set.next(from: 0)
    while let row = next {
      walked.append(row)
      next = set.next(from: row + 1)
    }
    #expect(walked == sorted)
    let ranks = set.ranks()
    #expect(sorted.map { set.rank(of: $0, ranks) } == sorted.indices.map { UInt64($0) })
    #expect(sorted.indices.map { set.member(UInt64($0), ranks) } == sorted)
    #expect(set.rank(of: UInt64(rowCount), ranks) == UInt64(plain.count))
    #expect(set.next(from: UInt64(rowCount)) == nil)
    #expect((0..<UInt64(rowCount)).allSatisfy { set.contains($0) == plain.contains($0) })
  }

  @Test(arguments: [0, 1, 5, 64, 5_000], [1, 2, 3, 100])
  func rowsBehindTheEndMoveIntoTheHolesInRisingOrder(rowCount: Int, oneIn: Int) {
    var random = SeededGenerator(seed: UInt64(rowCount * 3 + oneIn))
    var set = RowSet(rowCount: UInt64(rowCount))
    for row in 0..<UInt64(rowCount) where random.oneIn(oneIn) { set.insert(row) }
    let numbers = Renumbering(removing: set)
    let left = (0..<UInt64(rowCount)).filter { !set.contains($0) }
    #expect(numbers.newCount == UInt64(left.count))
    var holes = (0..<numbers.newCount).filter { set.contains($0) }
    #expect(numbers.moveCount == UInt64(holes.count))
    holes.reverse()
    let expected: [UInt64?] = (0..<UInt64(rowCount)).map { row in
      set.contains(row) ? nil : row < numbers.newCount ? row : holes.removeLast()
    }
    #expect((0..<UInt64(rowCount)).map { numbers.number(of: $0) } == expected)
    #expect(holes.isEmpty)
  }
}
