import Testing

@testable import Embeddings

struct BlockWeightsTests {
  @Test func totalIsTheSumOfAllWeights() throws {
    let rows = ArrayRows(powerLaw(1003), rowsPerBlock: 7)
    let weights = try BlockWeights(distortion: 0.75, of: rows)
    #expect(weights.blockCount == 144)
    let sum = rows.all.reduce(0.0) { $0 + unigramWeight($1, distortion: 0.75) }
    #expect(isClose(weights.total, sum))
  }

  @Test func updatesEqualRebuildingBitForBit() throws {
    var generator = Xoshiro256(seed: 1)
    // 0.3 goes through pow; the sums are not integers, so any other order of adding would show.
    var rows = ArrayRows(powerLaw(5000), rowsPerBlock: 3)
    var weights = try BlockWeights(distortion: 0.3, of: rows)
    for round in 0..<200 {
      var changed: [Int] = []
      rows.commit { frequencies in
        for _ in 0..<generator.next(below: 20) {
          let row = generator.next(below: frequencies.count)
          frequencies[row] = round % 5 == 0 ? 0 : generator.next() >> 20
          changed.append(row / 3)
        }
        // Grow and shrink by less than a block, by blocks, and to another height of the tree.
        if round % 7 == 3 {
          for _ in 0..<generator.next(below: 40) { frequencies.append(generator.next() >> 40) }
        }
        if round % 11 == 5 && round % 50 != 49 {
          frequencies.removeLast(generator.next(below: 900))
        }
        if round % 50 == 49 {
          frequencies += (0..<3000).map { UInt64($0) }
        }
      }
      try weights.update(changed, of: rows)
      #expect(weights == (try BlockWeights(distortion: 0.3, of: rows)))
    }
  }

  @Test func updateSurvivesShrinkingToNothing() throws {
    var weights = try BlockWeights(distortion: 1, of: ArrayRows([1, 2, 3, 4, 5]))
    try weights.update([], of: ArrayRows([]))
    #expect(weights.total == 0)
    try weights.update([], of: ArrayRows([6, 7]))
    #expect(weights.total == 13)
  }

  @Test func blocksAreDrawnInProportionToTheirSums() throws {
    let rows = ArrayRows(powerLaw(600), rowsPerBlock: 2)
    let weights = try BlockWeights(distortion: 1, of: rows)
    var counts = [Int](repeating: 0, count: weights.blockCount)
    var generator = Xoshiro256(seed: 2)
    for _ in 0..<200_000 { counts[weights.drawBlock(using: &generator)] += 1 }
    #expect(fits(counts, counts.indices.map { weights[$0] / weights.total }))
  }

  @Test func aFailedUpdateChangesNothing() throws {
    struct Torn: SamplingSource {
      var rows: ArrayRows
      var count: Int { rows.count }
      var rowsPerBlock: Int { rows.rowsPerBlock }
      var totalFrequency: UInt64 { rows.totalFrequency }
      var generation: UInt64 { rows.generation }
      func frequency(ofRow row: Int) -> UInt64 { rows.frequency(ofRow: row) }
      func frequencies(ofBlock block: Int, into frequencies: inout [UInt64]) {
        rows.frequencies(ofBlock: block, into: &frequencies)
        if block == 2 { frequencies.removeLast() }
      }
    }
    let rows = ArrayRows(powerLaw(40))
    let before = try BlockWeights(distortion: 1, of: rows)
    var weights = before
    let changed = Torn(rows: ArrayRows(powerLaw(40, seed: 6)))
    #expect {
      try weights.update([1, 2], of: changed)
    } throws: {
      ($0 as? EmbeddingError)?.code == .corruption
    }
    #expect(weights == before)
  }

  @Test func aWeightOfZeroIsNeverPicked() {
    // Even where rounding has carried the target past the end.
    var target = 100.0
    #expect(pick(&target, 0..<4) { [1, 2, 3, 0][$0] } == 2)
    target = 0
    #expect(pick(&target, 0..<4) { [0, 0, 3, 1][$0] } == 2)
  }
}
