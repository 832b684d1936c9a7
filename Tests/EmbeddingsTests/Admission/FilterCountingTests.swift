import StorageBase
import TestSupport
import Testing

@testable import Embeddings

/// A million ids through each filter, against exact counts.
@Suite struct FilterCountingTests {
  static let filters: [Admission] = [
    .bloomFilter(expectedIDs: 1_000_000, falsePositiveRate: 0.01),
    .bloomFilter(expectedIDs: 1_000_000, falsePositiveRate: 0.0001),
    .countingBloomFilter(threshold: 5, expectedIDs: 1_000_000, falsePositiveRate: 0.01),
    .countingBloomFilter(threshold: 40, expectedIDs: 1_000_000, falsePositiveRate: 0.02),
    .countingBloomFilter(threshold: 300, expectedIDs: 1_000_000, falsePositiveRate: 0.05),
    .counter(threshold: 4),
  ]

  /// The hash of an id; different ids for different streams.
  static func hash(_ id: Int, _ stream: Int = 0) -> UInt64 {
    RowKey.hash(UInt64(id) + UInt64(stream) << 40)
  }

  @Test(arguments: filters) func aMillionSightingsKeepThePromise(_ admission: Admission) throws {
    let filter = try #require(AdmissionFilter(admission))
    // What is not to be measured stays out of the loops: they are not optimized here.
    var counts = [UInt32](repeating: 0, count: 1_000_000)
    let threshold = filter.threshold
    var isBelow = false
    var generator = SeededGenerator(seed: 3)
    var early = 0
    func see(_ id: Int, _ times: Int) {
      let truth = counts[id] + UInt32(times)
      let count = filter.count(Self.hash(id), times: UInt32(times))
      counts[id] = truth
      if count < truth, count < threshold { isBelow = true }
      if truth < threshold, count >= threshold { early += 1 }
    }
    // Every id once, then half as many sightings of some, some in a batch of several.
    for id in 0..<1_000_000 { see(id, 1) }
    let rate = falsePositives(filter)
    for _ in 0..<250_000 {
      see(Int.random(in: 0..<20_000, using: &generator), Int.random(in: 1...3, using: &generator))
    }
    // No false negatives, nothing below the truth, and little above it.
    var tooHigh = 0
    let maximum = filter.maximum
    var id = 0
    while id < counts.count {
      let sightings = filter.sightings(Self.hash(id))
      let truth = min(counts[id], maximum)
      if sightings < truth { isBelow = true }
      if sightings > truth { tooHigh += 1 }
      id += 1
    }
    #expect(!isBelow, "below the truth")
    guard case (let expected, let promised)? = Self.promise(admission) else {
      #expect(early == 0 && tooHigh == 0 && rate == 0)
      #expect(filter.statistics.distinctIDs == 1_000_000)
      #expect(filter.statistics.idsAtThreshold == counts.count { $0 >= 4 })
      return
    }
    #expect(expected == 1_000_000)
    #expect(rate <= promised)
    #expect(Double(tooHigh) <= promised * 1_000_000)
    // Admissions before their time, of a million first sightings.
    #expect(Double(early) <= promised * 1_000_000)
    let statistics = filter.statistics
    // What it says of itself is what was measured.
    #expect(abs(statistics.falsePositiveRate - rate) < 0.15 * rate + 0.00005)
    let missed = Double(1_000_000 - statistics.distinctIDs)
    #expect(missed >= 0 && missed <= promised * 1_000_000)
  }

  static func promise(_ admission: Admission) -> (expected: Int, rate: Double)? {
    switch admission {
    case .bloomFilter(let expected, let rate), .countingBloomFilter(_, let expected, let rate):
      (expected, rate)
    case .none, .counter, .probabilistic: nil
    }
  }

  /// The share of a million ids never seen that have a count.
  func falsePositives(_ filter: AdmissionFilter, count: Int = 1_000_000) -> Double {
    Double((0..<count).count { filter.sightings(Self.hash($0, 1)) > 0 }) / Double(count)
  }

  @Test(
    arguments: [
      .bloomFilter(expectedIDs: 1000), .bloomFilter(expectedIDs: 10, falsePositiveRate: 0.001),
      .countingBloomFilter(threshold: 3, expectedIDs: 1000),
      .countingBloomFilter(threshold: 1000, expectedIDs: 1000, falsePositiveRate: 0.05),
    ] as [Admission])
  func farMoreIDsThanPlannedKeepThePromise(_ admission: Admission) throws {
    let filter = try #require(AdmissionFilter(admission))
    let (expected, promised) = try #require(Self.promise(admission))
    let ids = expected * 100
    for id in 0..<ids {
      filter.count(Self.hash(id), times: 1)
      if id % (expected / 10) == 0 { filter.growIfNeeded() }
    }
    #expect((6...8).contains(filter.layerCount))
    #expect((0..<ids).allSatisfy { filter.sightings(Self.hash($0)) > 0 })
    #expect(falsePositives(filter, count: 200_000) <= promised)
    // Each id stays in the layer where it was counted first.
    if filter.maximum > 2 {
      for id in 0..<ids { filter.count(Self.hash(id), times: 1) }
      #expect((0..<ids).allSatisfy { filter.sightings(Self.hash($0)) >= 2 })
      let most = (0..<ids).count { filter.sightings(Self.hash($0)) > 2 }
      #expect(Double(most) <= promised * Double(ids))
    }
  }

  @Test(arguments: [2, 15, 16, 255, 256, 65_535])
  func countsSaturateAtTheThreshold(_ threshold: Int) throws {
    for admission in [
      Admission.countingBloomFilter(threshold: threshold, expectedIDs: 100),
      .counter(threshold: threshold),
    ] {
      let filter = try #require(AdmissionFilter(admission))
      let hash = Self.hash(1)
      #expect(filter.count(hash, times: UInt32(threshold - 1)) == UInt32(threshold - 1))
      #expect(!filter.admits(hash, times: 0) && filter.admits(hash, times: 1))
      #expect(filter.statistics.idsAtThreshold == 0)
      #expect(filter.count(hash, times: .max) == UInt32(threshold))
      #expect(filter.sightings(hash) == UInt32(threshold))
      #expect(filter.statistics.idsAtThreshold == 1)
      let journal = filter.stripe(FilterStripe.number(hash)).pointee.journal.count
      #expect(filter.count(hash, times: 5) == UInt32(threshold))
      #expect(filter.count(Self.hash(2), times: 0) == 0)
      #expect(
        filter.stripe(FilterStripe.number(hash)).pointee.journal.count == journal,
        "what changes nothing is not written")
      #expect(filter.statistics.distinctIDs == 1)
    }
  }

  @Test func aBloomFilterAdmitsOnTheSecondSighting() throws {
    let filter = try #require(AdmissionFilter(.bloomFilter(expectedIDs: 100)))
    #expect(filter.count(Self.hash(1), times: 1) == 1)
    #expect(filter.count(Self.hash(1), times: 1) == 2)
    #expect(filter.count(Self.hash(2), times: 2) == 2, "twice in one batch")
    #expect(filter.statistics.idsAtThreshold == nil)
  }

  @Test func theCounterGivesItsMemoryPerID() throws {
    let filter = try #require(AdmissionFilter(.counter(threshold: 2)))
    for id in 0..<300_000 { filter.count(Self.hash(id), times: 1) }
    #expect((16...25).contains(filter.bytes / 300_000))
    #expect(
      filter.tableBytes(ofStripes: 0..<32) + filter.tableBytes(ofStripes: 32..<64)
        == filter.bytes)
  }
}
