import Testing

@testable import Embeddings

/// Whether rows come as often as they should. Every seed is fixed; see `fits` for the test.
struct SamplingDistributionTests {
  static let distributions: [SamplingDistribution] = [
    .uniform, .logUniform, .unigram(distortion: 0.75), .unigram(distortion: 1),
    .unigram(distortion: 0), .unigram(distortion: 0.3),
  ]

  /// The probability of each row, by the definitions rather than by the sampler.
  private func probabilities(_ distribution: SamplingDistribution, _ rows: ArrayRows) -> [Double] {
    let weights: [Double]
    switch distribution {
    case .uniform: weights = rows.all.map { _ in 1 }
    case .logUniform:
      var w = rows.all.map { _ in 0.0 }
      for (rank, row) in rows.rowsByRank.enumerated() {
        w[row] = LogUniform(range: rows.count).probability(rank)
      }
      weights = w
    case .unigram(let d): weights = rows.all.map { unigramWeight($0, distortion: d) }
    }
    let total = weights.reduce(0, +)
    return weights.map { $0 / total }
  }

  private func negatives(
    _ count: Int, _ distribution: SamplingDistribution, _ rows: ArrayRows, distinct: Bool,
    positives: [Int?] = [], seed: UInt64, rejections: Int? = nil, sampler: RowSampler? = nil
  ) throws -> RowSample {
    let request = SamplingRequest(
      count: count + positives.count, distribution: distribution, isDistinct: distinct, seed: seed)
    return try sampleRows(
      request, positives: positives, example: 0, over: rows,
      sampler: try sampler ?? rows.sampler(distribution), rejections: rejections)
  }

  @Test(arguments: distributions)
  func drawsWithReplacementFollowTheDistribution(_ distribution: SamplingDistribution) throws {
    let rows = ArrayRows([0] + powerLaw(90), rowsPerBlock: 8)
    let expected = probabilities(distribution, rows)
    let sample = try negatives(100_000, distribution, rows, distinct: false, seed: 1)
    var counts = [Int](repeating: 0, count: rows.count)
    for row in sample.rows { counts[row!] += 1 }
    #expect(fits(counts, expected))
    #expect(sample.tries == 100_000)
    for (row, p) in zip(sample.rows, sample.probability) {
      guard isClose(Double(p), expected[row!], relative: 1e-6) else {
        Issue.record("row \(row!) has probability \(p), not \(expected[row!])")
        break
      }
    }
  }

  @Test(arguments: distributions)
  func theFirstDistinctDrawFollowsTheDistribution(_ distribution: SamplingDistribution) throws {
    let rows = ArrayRows(powerLaw(20))
    let sampler = try rows.sampler(distribution)
    let expected = probabilities(distribution, rows)
    for rejections in [nil, -1] {
      var counts = [Int](repeating: 0, count: rows.count)
      for seed in 0..<3000 {
        let sample = try negatives(
          3, distribution, rows, distinct: true, seed: UInt64(seed), rejections: rejections,
          sampler: sampler)
        counts[sample.rows[0]!] += 1
      }
      #expect(fits(counts, expected))
    }
  }

  /// The whole law of distinct draws, and the mean number of tries, by rejection alone, by the pass
  /// alone, and by one after the other.
  @Test(arguments: [1_000_000, -1, 0, 1])
  func distinctDrawsHaveTheLawOfRejectionHoweverTheyAreMade(rejections: Int) throws {
    for c in try SamplingFixtures.load().distinct {
      let rows = ArrayRows(c.weights, rowsPerBlock: 2)
      let sampler = try rows.sampler(.unigram(distortion: 1))
      let index = Dictionary(
        uniqueKeysWithValues: c.law.enumerated().map { ($1.rows, $0) })
      var counts = [Int](repeating: 0, count: c.law.count)
      var tries = 0.0
      var squares = 0.0
      let n = 6000
      for seed in 0..<n {
        let request = SamplingRequest(
          count: c.count + c.excluded.count, distribution: .unigram(distortion: 1),
          seed: UInt64(seed))
        let sample = try sampleRows(
          request, positives: c.excluded, example: 0, over: rows, sampler: sampler,
          rejections: rejections)
        let draw = sample.rows.dropFirst(c.excluded.count).map { $0! }
        counts[index[draw]!] += 1
        tries += Double(sample.tries)
        squares += Double(sample.tries * sample.tries)
      }
      #expect(fits(counts, c.law.map(\.probability)))
      let mean = tries / Double(n)
      let error = ((squares / Double(n) - mean * mean) / Double(n)).squareRoot()
      #expect(abs(mean - c.meanTries) < 5 * error)
    }
  }

  @Test(arguments: [1_000_000, -1, 3])
  func drawsThatExcludePositivesFollowWhatIsLeft(rejections: Int) throws {
    let rows = ArrayRows([100, 1, 2, 3, 0, 4], rowsPerBlock: 4)
    let sample = try negatives(
      20_000, .unigram(distortion: 1), rows, distinct: false, positives: [0, 3, nil], seed: 3,
      rejections: rejections)
    var counts = [Int](repeating: 0, count: rows.count)
    for row in sample.rows.dropFirst(3) { counts[row!] += 1 }
    #expect(fits(counts, [0, 1.0 / 7, 2.0 / 7, 0, 0, 4.0 / 7]))
    // 7 of 110 draws are kept.
    let keep = 7.0 / 110
    let error = (20_000 * (1 - keep)).squareRoot() / keep
    #expect(abs(Double(sample.tries) - 20_000 / keep) < 5 * error)
    // The order is random too: the first half is like the whole.
    var firstHalf = [Int](repeating: 0, count: rows.count)
    for row in sample.rows[3..<10_003] { firstHalf[row!] += 1 }
    #expect(fits(firstHalf, [0, 1.0 / 7, 2.0 / 7, 0, 0, 4.0 / 7]))
  }

  @Test(arguments: distributions, [false, true])
  func expectedCountsAgreeWithSimulation(
    _ distribution: SamplingDistribution, distinct: Bool
  ) throws {
    let rows = ArrayRows(powerLaw(40), rowsPerBlock: 8)
    let sampler = try rows.sampler(distribution)
    let p = probabilities(distribution, rows)
    var seen = p.map { _ in 0.0 }
    var expected = seen
    let n = 2000
    for seed in 0..<n {
      let request = SamplingRequest(
        count: 10, distribution: distribution, isDistinct: distinct, seed: UInt64(seed))
      let sample = try sampleRows(
        request, positives: [], example: 0, over: rows, sampler: sampler)
      for row in sample.rows { seen[row!] += 1 }
      for row in p.indices {
        expected[row] += expectedDraws(of: p[row], tries: sample.tries, isDistinct: distinct)
      }
    }
    for row in p.indices {
      // Five standard errors (Poisson's, an upper bound), and 2 % for TensorFlow's estimate itself,
      // which puts the tries observed in place of their distribution.
      let margin = 5 * max(expected[row], 1).squareRoot() + 0.02 * expected[row]
      #expect(abs(seen[row] - expected[row]) < margin)
    }
  }
}
