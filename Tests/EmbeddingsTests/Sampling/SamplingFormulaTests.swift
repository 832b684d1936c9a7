import Testing

@testable import Embeddings

struct SamplingFormulaTests {
  let fixtures: SamplingFixtures
  init() throws { fixtures = try SamplingFixtures.load() }

  @Test func logUniformProbabilityIsTensorFlows() {
    for c in fixtures.logUniform {
      #expect(isClose(LogUniform(range: c.range).probability(c.rank), c.probability))
    }
  }

  @Test func logUniformProbabilitiesSumToOne() {
    let distribution = LogUniform(range: 1000)
    #expect(isClose((0..<1000).reduce(0) { $0 + distribution.probability($1) }, 1))
  }

  @Test func expectedCountIsTensorFlows() {
    for c in fixtures.expectedCount {
      let value = expectedDraws(of: c.p, tries: c.tries, isDistinct: c.isDistinct)
      #expect(isClose(value, c.value))
    }
  }

  @Test func expectedCountOfTheOnlyRowIsOne() {
    #expect(expectedDraws(of: 1, tries: 3, isDistinct: true) == 1)
    #expect(expectedDraws(of: 1, tries: 0, isDistinct: true) == 1)
  }

  @Test func unigramWeightIsFrequencyToThePower() {
    for c in fixtures.unigram {
      let weight = unigramWeight(UInt64(c.frequency)!, distortion: c.distortion)
      #expect(isClose(weight, c.weight))
    }
  }

  @Test func generatorIsXoshiro256StarStar() {
    for c in fixtures.xoshiro256 {
      var generator = Xoshiro256(seed: UInt64(c.seed)!)
      #expect(c.outputs.map { UInt64($0)! } == c.outputs.map { _ in generator.next() })
    }
  }

  @Test func boundedDrawsAreAllAlike() {
    var generator = Xoshiro256(seed: 9)
    for bound in [1, 2, 7, 100] {
      var counts = [Int](repeating: 0, count: bound)
      for _ in 0..<20_000 { counts[generator.next(below: bound)] += 1 }
      #expect(bound == 1 || fits(counts, counts.map { _ in 1 / Double(bound) }))
    }
  }

  @Test func boundedDrawsReachTheLargestBound() {
    // 3 * 2^61: without rejection one value in three would come twice as often as the others.
    let third = 1 << 61
    var generator = Xoshiro256(seed: 10)
    var counts = [0, 0, 0]
    for _ in 0..<30_000 { counts[generator.next(below: 3 * third) / third] += 1 }
    #expect(fits(counts, [1.0 / 3, 1.0 / 3, 1.0 / 3]))
  }

  @Test func streamsOfASeedDiffer() {
    let first = (0..<1000).map { stream -> UInt64 in
      var generator = Xoshiro256(seed: 3, stream: UInt64(stream))
      return generator.next()
    }
    #expect(Set(first).count == 1000)
  }

  @Test func geometricDrawsHaveTheirMean() {
    var generator = Xoshiro256(seed: 11)
    for p in [0.9, 0.5, 0.05] {
      let n = 40_000.0
      let sum = (0..<Int(n)).reduce(0.0) { sum, _ in sum + geometricDraw(p, using: &generator) }
      // Five standard errors of the mean.
      #expect(abs(sum / n - 1 / p) < 5 * ((1 - p) / (p * p) / n).squareRoot())
    }
    #expect(geometricDraw(1, using: &generator) == 1)
  }
}
