import Foundation

@testable import Embeddings

/// A table as sampling sees it: frequencies in an array.
struct ArrayRows: SamplingSource {
  var all: [UInt64]
  var rowsPerBlock = 4
  var generation: UInt64 = 1

  init(_ frequencies: [UInt64], rowsPerBlock: Int = 4, generation: UInt64 = 1) {
    all = frequencies
    self.rowsPerBlock = rowsPerBlock
    self.generation = generation
  }

  var count: Int { all.count }
  var totalFrequency: UInt64 { all.reduce(0, &+) }
  func frequency(ofRow row: Int) -> UInt64 { all[row] }

  func frequencies(ofBlock block: Int, into frequencies: inout [UInt64]) {
    let start = block * rowsPerBlock
    frequencies = Array(all[start..<min(all.count, start + rowsPerBlock)])
  }

  /// The next commit, with some frequencies changed.
  mutating func commit(_ change: (inout [UInt64]) -> Void) {
    change(&all)
    generation += 1
  }

  /// The rows by falling frequency, ties by row number.
  var rowsByRank: [Int] {
    all.indices.sorted { all[$0] != all[$1] ? all[$0] > all[$1] : $0 < $1 }
  }

  func sampler(_ distribution: SamplingDistribution) throws -> RowSampler {
    try SamplerState().sampler(for: distribution, over: self)
  }
}

/// Frequencies that fall off by a power law, in shuffled order.
func powerLaw(_ count: Int, seed: UInt64 = 5) -> [UInt64] {
  var generator = Xoshiro256(seed: seed)
  return (1...count).map { UInt64(10_000 / $0) }.shuffled(using: &generator)
}

/// Whether counts fit probabilities, by Pearson's chi-square test at significance 1e-4.
///
/// The critical value is Wilson and Hilferty's approximation, good to 1 % from 3 degrees of freedom
/// on. Cells that expect fewer than 5 are pooled. With fixed seeds a test passes always or never.
func fits(_ counts: [Int], _ probabilities: [Double]) -> Bool {
  let n = Double(counts.reduce(0, +))
  var cells: [(observed: Double, expected: Double)] = []
  var rest = (observed: 0.0, expected: 0.0)
  for (count, p) in zip(counts, probabilities) {
    if p == 0 && count > 0 { return false }
    if n * p >= 5 {
      cells.append((Double(count), n * p))
    } else {
      rest.observed += Double(count)
      rest.expected += n * p
    }
  }
  if rest.expected >= 5 { cells.append(rest) }
  let degrees = Double(cells.count - 1)
  let chi2 = cells.reduce(0.0) {
    $0 + ($1.observed - $1.expected) * ($1.observed - $1.expected) / $1.expected
  }
  let z = 3.719  // the normal deviate of 1 - 1e-4
  let spread = 2 / (9 * degrees)
  let critical = degrees * pow(1 - spread + z * spread.squareRoot(), 3)
  return chi2 < critical
}

/// What `Tests/Scripts/make_sampling_fixtures.py` wrote.
struct SamplingFixtures: Decodable {
  struct LogUniformCase: Decodable { var range: Int, rank: Int, probability: Double }
  struct ExpectedCase: Decodable { var p: Double, tries: Int, isDistinct: Bool, value: Double }
  struct UnigramCase: Decodable { var frequency: String, distortion: Float, weight: Double }
  struct GeneratorCase: Decodable { var seed: String, outputs: [String] }
  struct Outcome: Decodable { var rows: [Int], probability: Double }
  struct DistinctCase: Decodable {
    var weights: [UInt64], count: Int, excluded: [Int], law: [Outcome], meanTries: Double
  }
  var logUniform: [LogUniformCase]
  var expectedCount: [ExpectedCase]
  var unigram: [UnigramCase]
  var xoshiro256: [GeneratorCase]
  var distinct: [DistinctCase]

  static func load() throws -> SamplingFixtures {
    let url = Bundle.module.url(
      forResource: "formulas", withExtension: "json", subdirectory: "Fixtures/sampling")!
    return try JSONDecoder().decode(SamplingFixtures.self, from: Data(contentsOf: url))
  }
}

func isClose(_ a: Double, _ b: Double, relative: Double = 1e-12) -> Bool {
  abs(a - b) <= relative * max(abs(a), abs(b))
}
