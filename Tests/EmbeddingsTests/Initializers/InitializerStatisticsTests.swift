import Embeddings
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The initializers against the distributions that they are named after. All draws are fixed, so
/// the tests never flicker; the limits are those of a test at 1 in 1000.
@Suite struct InitializerStatisticsTests {
  static func normalShare(below z: Double) -> Double { 0.5 * erfc(-z / 2.0.squareRoot()) }

  /// A distribution, and the share of it that lies below a value.
  struct Case: Sendable, CustomTestStringConvertible {
    let initializer: Initializer
    let share: @Sendable (Double) -> Double
    var testDescription: String { initializer.description }
  }

  static let cases: [Case] = [
    Case(initializer: .uniform(-0.05...0.05)) {
      ($0 + Double(0.05 as Float)) / Double(0.1 as Float)
    },
    Case(initializer: .uniform(2...5)) { ($0 - 2) / 3 },
    Case(initializer: .normal(mean: 1, standardDeviation: 2)) { normalShare(below: ($0 - 1) / 2) },
    Case(initializer: .truncatedNormal(mean: -1, standardDeviation: 0.5)) {
      let outside = normalShare(below: -2)
      return (normalShare(below: ($0 + 1) / 0.5) - outside) / (1 - 2 * outside)
    },
  ]

  /// Values of consecutive ids, as they come: the hardest case for a hash.
  private func draw(_ initializer: Initializer, ids: Int, dimension: Int, seed: UInt64) -> [Float] {
    (0..<ids).flatMap {
      initializer.vector(dimension: dimension, seed: seed, id: .int64(Int64($0)))
    }
  }

  /// The statistic of Kolmogorov and Smirnov, times the root of the number of values.
  private func kolmogorovSmirnov(_ values: [Float], _ share: (Double) -> Double) -> Double {
    let n = Double(values.count)
    var distance = 0.0
    for (i, value) in values.sorted().enumerated() {
      let p = share(Double(value))
      distance = max(distance, p - Double(i) / n, Double(i + 1) / n - p)
    }
    return distance * n.squareRoot()
  }

  @Test(arguments: cases, [0, 1, 0xDEAD_BEEF] as [UInt64])
  func valuesFollowTheirDistribution(_ example: Case, _ seed: UInt64) {
    // The same number of values within one vector as over many ids.
    for (ids, dimension) in [(20_000, 1), (2_000, 10), (10, 2_000)] {
      let values = draw(example.initializer, ids: ids, dimension: dimension, seed: seed)
      #expect(kolmogorovSmirnov(values, example.share) < 1.95, "\(ids) ids of \(dimension)")

      // 100 bins of equal shares; chi-square with 99 degrees of freedom.
      var bins = [Double](repeating: 0, count: 100)
      for value in values { bins[min(99, max(0, Int(example.share(Double(value)) * 100)))] += 1 }
      let expected = Double(values.count) / 100
      let chiSquare = bins.reduce(0) { $0 + ($1 - expected) * ($1 - expected) / expected }
      #expect(chiSquare < 148.2 && chiSquare > 56.0, "\(ids) ids of \(dimension)")
    }
  }

  @Test(arguments: cases)
  func elementsIDsAndSeedsAreUncorrelated(_ example: Case) {
    let n = 20_000
    func correlation(_ a: [Float], _ b: [Float]) -> Double {
      let x = a.map { example.share(Double($0)) - 0.5 }
      let y = b.map { example.share(Double($0)) - 0.5 }
      return zip(x, y).reduce(0) { $0 + $1.0 * $1.1 } * 12 / Double(x.count)
    }
    let first = draw(example.initializer, ids: n, dimension: 3, seed: 0)
    let element = (0..<3).map { e in stride(from: e, to: first.count, by: 3).map { first[$0] } }
    let seed = draw(example.initializer, ids: n, dimension: 1, seed: 1)
    // 3.3 standard deviations of a mean of n products.
    let limit = 3.3 / Double(n).squareRoot()
    #expect(abs(correlation(element[0], element[1])) < limit)
    #expect(abs(correlation(element[1], element[2])) < limit)
    #expect(abs(correlation(element[0], Array(element[0].dropFirst() + [element[0][0]]))) < limit)
    #expect(abs(correlation(element[0], seed)) < limit)
  }

  @Test func boundedDistributionsKeepTheirBounds() {
    for value in draw(.uniform(0.1...0.3), ids: 20_000, dimension: 3, seed: 0) {
      #expect(value >= 0.1 && value <= 0.3)
    }
    for value in draw(.truncatedNormal(standardDeviation: 1), ids: 20_000, dimension: 3, seed: 0) {
      #expect(abs(value) <= 2)
    }
  }

  @Test func truncationTakesTheStatedShareOfTheDeviation() {
    let values = draw(.truncatedNormal(standardDeviation: 1), ids: 50_000, dimension: 4, seed: 0)
    let variance = values.reduce(0) { $0 + Double($1) * Double($1) } / Double(values.count)
    #expect(abs(variance.squareRoot() - 0.8796) < 0.003)
  }

  /// The pairs are what another implementation of AS 241 gives (Python's `statistics`).
  @Test(arguments: [
    (0.1, 0.2533471031357998), (0.425, 1.439531470938456), (0.43, 1.4757910281791697),
    (-0.4999, -3.7190164854557084), (0.49999999, 5.612001244265848),
    (-0.5 + 0x1p-53, -8.209536151601386),
  ])
  func quantilesAreExact(_ offset: Double, _ expected: Double) {
    #expect(abs(NormalQuantile.value(offset: offset) / expected - 1) < 1e-15)
    #expect(NormalQuantile.value(offset: -offset) == -NormalQuantile.value(offset: offset))
    // And the error function agrees, as far as it resolves.
    let share = Self.normalShare(below: -abs(NormalQuantile.value(offset: offset)))
    #expect(abs(share / (0.5 - abs(offset)) - 1) < 1e-13)
  }

  @Test func logarithmIsWithinItsStatedError() {
    var largest = 0.0
    for i in 0..<200_000 {
      let h = mix64(UInt64(i) &+ 1)
      let x = Double.init(
        sign: .plus, exponent: -1 - Int(h % 53), significand: 1 + Double(h >> 12) * 0x1p-52)
      guard x <= 0.5 else { continue }
      let expected = log(x)
      largest = max(largest, abs(NormalQuantile.logarithm(x) / expected - 1))
    }
    #expect(largest < 4e-16)
    #expect(NormalQuantile.logarithm(1) == 0)
  }
}
