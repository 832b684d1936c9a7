import Foundation
import Testing

@testable import Embeddings

/// Positives and negatives merged into one list.
struct CandidateListTests {
  private let rows = ArrayRows(powerLaw(60), rowsPerBlock: 8)

  private func sample(
    _ request: SamplingRequest, _ positives: [Int?] = [], over rows: ArrayRows? = nil
  ) throws -> RowSample {
    try sampleRows(
      request, positives: positives, over: rows ?? self.rows, state: SamplerState())
  }

  private func expectInvalid(_ body: () throws -> Void) {
    let error = #expect(throws: EmbeddingError.self) { try body() }
    #expect(error?.code == .invalidArgument)
  }

  @Test(arguments: SamplingDistributionTests.distributions)
  func examplesWithDifferentNumbersOfPositivesGetListsOfOneLength(
    _ distribution: SamplingDistribution
  ) throws {
    let positives: [[Int?]] = [[], [3], [5, nil, 9], Array(0..<20)]
    let request = SamplingRequest(count: 20, distribution: distribution, seed: 8)
    let samples = try sampleRows(
      request, positivesOfExamples: positives, over: rows, state: SamplerState())
    for (sample, positives) in zip(samples, positives) {
      #expect(sample.count == 20)
      #expect(Array(sample.rows.prefix(positives.count)) == positives)
      #expect(
        sample.isPositive
          == (0..<20).map { $0 < positives.count })
      let negatives = sample.rows.dropFirst(positives.count).map { $0! }
      #expect(Set(negatives).count == negatives.count)
      #expect(Set(negatives).isDisjoint(with: positives.compactMap { $0 }))
      #expect(sample.accidentalHits.isEmpty)
      #expect(sample.probability.allSatisfy { $0 > 0 && $0 <= 1 })
      #expect(sample.expectedCount.allSatisfy { $0 > 0 && $0 <= 1 })
      #expect(sample.tries >= negatives.count)
    }
  }

  @Test(arguments: SamplingDistributionTests.distributions, [false, true])
  func theSameSeedGivesTheSameSample(
    _ distribution: SamplingDistribution, distinct: Bool
  ) throws {
    var request = SamplingRequest(
      count: 30, distribution: distribution, isDistinct: distinct, seed: 8)
    let first = try sample(request, [1, 2])
    #expect(try sample(request, [1, 2]) == first)
    request.seed = 9
    #expect(try sample(request, [1, 2]) != first)
  }

  @Test func anExampleDrawsTheSameAloneAndInABatch() throws {
    let request = SamplingRequest(count: 12, distribution: .uniform, seed: 1)
    let batch = try sampleRows(
      request, positivesOfExamples: [[1], [1], [2, 3]], over: rows, state: SamplerState())
    #expect(batch[0].rows != batch[1].rows)
    for (example, positives) in [[1], [1], [2, 3]].enumerated() {
      let alone = try sampleRows(
        request, positives: positives, example: example, over: rows, state: SamplerState())
      #expect(alone == batch[example])
    }
  }

  @Test func commitsOnTheWayLeaveNoTraceInASample() throws {
    let state = SamplerState()
    var changing = rows
    let request = SamplingRequest(count: 25, distribution: .unigram(distortion: 0.3), seed: 2)
    for row in 0..<50 {
      _ = try sampleRows(request, over: changing, state: state)
      state.noteCommit(
        from: changing.generation, to: changing.generation + 1, changedBlocks: [row / 8])
      changing.commit { $0[row] = UInt64(row * row + 1) }
    }
    let fresh = try sampleRows(request, over: changing, state: SamplerState())
    #expect(try sampleRows(request, over: changing, state: state) == fresh)
  }

  @Test func hitsOnPositivesAreNamedWhereTheyAreKept() throws {
    let request = SamplingRequest(
      count: 43, distribution: .uniform, excludesPositives: false, seed: 4)
    let rows = ArrayRows([UInt64](repeating: 1, count: 40))
    // 40 distinct negatives of 40 rows: each of the two positives is hit once.
    let sample = try sample(request, [7, nil, 11], over: rows)
    #expect(sample.accidentalHits.count == 2)
    #expect(Set(sample.accidentalHits.map { sample.rows[$0] }) == [7, 11])
    #expect(sample.accidentalHits.allSatisfy { !sample.isPositive[$0] })
  }

  @Test func aStoredPositiveHasTheProbabilityThatItIsDrawnWith() throws {
    for distribution in SamplingDistributionTests.distributions {
      let request = SamplingRequest(
        count: 120, distribution: distribution, excludesPositives: false, seed: 4)
      let sample = try sample(request, Array(0..<60))
      let hits = sample.accidentalHits
      #expect(hits.count == 60)
      for hit in hits {
        #expect(sample.probability[hit] == sample.probability[sample.rows[hit]!])
        #expect(sample.expectedCount[hit] == sample.expectedCount[sample.rows[hit]!])
      }
    }
  }

  @Test func aPositiveThatCannotBeDrawnHasTheLeastProbability() throws {
    let rows = ArrayRows([0, 4, 1, 9])
    let expected: [(SamplingDistribution, Float)] = [
      (.uniform, 0.25),
      (.logUniform, Float(LogUniform(range: 4).probability(3))),
      (.unigram(distortion: 0.5), 1 / 6),
    ]
    for (distribution, p) in expected {
      let request = SamplingRequest(count: 3, distribution: distribution, seed: 1)
      let sample = try sample(request, [nil, 0], over: rows)
      #expect(sample.probability[0] == p)
      #expect(sample.probability[1] == p)
    }
  }

  @Test func rowsOfFrequencyZeroAreDrawnOnlyIfAllAre() throws {
    let request = SamplingRequest(
      count: 200, distribution: .unigram(distortion: 0.75), isDistinct: false, seed: 1)
    let some = try sample(request, over: ArrayRows([0, 5, 0, 0, 0, 1, 0]))
    #expect(Set(some.rows) == [1, 5])
    let none = try sample(request, over: ArrayRows([0, 0, 0, 0, 0]))
    #expect(Set(none.rows) == [0, 1, 2, 3, 4])
    #expect(none.probability.allSatisfy { $0 == 0.2 })
  }

  @Test func extremeSkewNeitherLoopsNorOverflows() throws {
    // By rejection alone, the second row would take 2^64 tries or so.
    let rows = ArrayRows([.max, 1, 1, 1, 1, 1], rowsPerBlock: 2)
    for distortion in [1, 8] as [Float] {
      let request = SamplingRequest(
        count: 6, distribution: .unigram(distortion: distortion), seed: 1)
      let sample = try sample(request, over: rows)
      #expect(Set(sample.rows) == [0, 1, 2, 3, 4, 5])
      #expect(sample.tries > 1 << 50)
      #expect(sample.expectedCount.allSatisfy { $0 > 0 && $0 <= 1 })
    }
    let repeated = SamplingRequest(
      count: 50, distribution: .unigram(distortion: 1), isDistinct: false, seed: 1)
    #expect(try sample(repeated, [0], over: rows).rows.dropFirst().allSatisfy { $0 != 0 })
  }

  @Test func theWholeTableCanBeDrawn() throws {
    for distribution in SamplingDistributionTests.distributions {
      let request = SamplingRequest(count: 60, distribution: distribution, seed: 6)
      #expect(Set(try sample(request).rows) == Set(0..<60))
    }
  }

  @Test func moreDistinctRowsThanCanBeDrawnIsAnError() {
    let sparse = ArrayRows([0, 5, 0, 0, 0, 1, 0])
    func request(_ count: Int, _ distribution: SamplingDistribution) -> SamplingRequest {
      SamplingRequest(count: count, distribution: distribution, seed: 1)
    }
    expectInvalid { _ = try sample(request(61, .uniform)) }
    expectInvalid { _ = try sample(request(62, .logUniform), [3, nil]) }
    expectInvalid { _ = try sample(request(3, .unigram(distortion: 1)), over: sparse) }
    expectInvalid { _ = try sample(request(3, .unigram(distortion: 1)), [1], over: sparse) }
  }

  @Test func excludingAllRowsIsAnErrorWithReplacementToo() {
    let request = SamplingRequest(
      count: 5, distribution: .uniform, isDistinct: false, seed: 1)
    expectInvalid { _ = try sample(request, [0, 1], over: ArrayRows([1, 1])) }
  }

  @Test func morePositivesThanTheListHoldsIsAnError() {
    expectInvalid {
      _ = try sample(SamplingRequest(count: 2, distribution: .uniform, seed: 1), [1, 2, 3])
    }
    expectInvalid {
      _ = try sample(SamplingRequest(count: -1, distribution: .uniform, seed: 1))
    }
  }

  @Test func aTableOfOneRow() throws {
    for distribution in SamplingDistributionTests.distributions {
      let rows = ArrayRows([3])
      let one = try sample(
        SamplingRequest(count: 1, distribution: distribution, seed: 1), over: rows)
      #expect(one.rows == [0])
      #expect(one.probability == [1])
      #expect(one.expectedCount == [1])
      #expect(one.tries == 1)
    }
  }

  @Test func aListOfPositivesAloneHasFiniteCorrections() throws {
    let rowSample = try sample(SamplingRequest(count: 3, seed: 1), [4, nil, 4])
    #expect(rowSample.tries == 0)
    let sample = CandidateSample(rowSample, ids: IDColumn([40, 50, 40]))
    #expect(sample.logExpectedCounts().allSatisfy { $0.isFinite })
  }

  @Test func aCandidateSampleCarriesItsRows() throws {
    let rowSample = try sample(
      SamplingRequest(count: 8, excludesPositives: false, seed: 1), [4, 5])
    let ids = IDColumn(rowSample.rows.map { Int64($0!) * 10 })
    let sample = CandidateSample(rowSample, ids: ids)
    #expect(sample.count == 8)
    #expect(sample.ids == ids)
    #expect(sample.isPositive == rowSample.isPositive)
    #expect(sample.probability == rowSample.probability)
    #expect(sample.tries == rowSample.tries)
    #expect(sample.accidentalHits == rowSample.accidentalHits)
    for (logarithm, count) in zip(sample.logExpectedCounts(), sample.expectedCount) {
      #expect(isClose(Double(logarithm), log(Double(count)), relative: 1e-5))
    }
  }
}
