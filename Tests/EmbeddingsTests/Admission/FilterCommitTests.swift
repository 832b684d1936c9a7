import LMDB
import StorageBase
import TestSupport
import Testing

@testable import Embeddings

@Suite struct FilterCommitTests {
  static let filters: [Admission] = [
    .bloomFilter(expectedIDs: 20_000), .counter(threshold: 5),
    .countingBloomFilter(threshold: 4, expectedIDs: 5_000, falsePositiveRate: 0.05),
    .countingBloomFilter(threshold: 100, expectedIDs: 2_000, falsePositiveRate: 0.05),
    .countingBloomFilter(threshold: 1000, expectedIDs: 30_000, falsePositiveRate: 0.05),
  ]

  /// Random batches, commits that wait, fail and run twice, and reopening, against states noted at
  /// each batch boundary.
  @Test(arguments: filters) func committedStateIsThatOfTheBatchBoundary(_ admission: Admission)
    throws
  {
    var generator = SeededGenerator(seed: 11)
    let store = try FilterTree()
    var filter = try #require(AdmissionFilter(admission))
    var committed = filter.contents
    var waiting: FilterContents?
    var running: FilterContents?
    var generation: UInt64 = 0
    var used = 0
    func end() throws {
      guard let state = running else { return }
      if waiting != nil, generator.oneIn(2) {
        store.commitInVain(filter, generation: generation + 1)
        filter.giveUpCommit()
      } else if generator.oneIn(5) {
        store.commitInVain(filter, generation: generation + 1)
        filter.abandonCommit()
      } else {
        generation += 1
        if generator.oneIn(4) { store.commitInVain(filter, generation: generation) }
        try store.commit(filter, generation: generation)
        filter.endCommit()
        committed = state
      }
      running = nil
    }
    for round in 0..<testSetting("FILTER_ROUNDS", default: 150) {
      let count = generator.oneIn(8) ? 5000 : Int.random(in: 1...60, using: &generator)
      for _ in 0..<count {
        used += generator.oneIn(2) ? 1 : 0
        let id = Int.random(in: 0...used, using: &generator)
        let times = UInt32.random(in: 1...3, using: &generator)
        filter.count(FilterCountingTests.hash(id), times: times)
      }
      filter.growIfNeeded()
      switch Int.random(in: 0..<8, using: &generator) {
      case 0, 1, 2:
        filter.fix()
        waiting = filter.contents
      case 3 where waiting != nil:
        filter.unfix()
        waiting = nil
      case 4, 5:
        try end()
      default: break
      }
      if running == nil, let state = waiting, generator.oneIn(2) {
        filter.beginCommit()
        (running, waiting) = (state, nil)
      }
      if round % 10 == 9 {
        let loaded = try #require(try store.load(admission))
        #expect(loaded.contents == committed, "after round \(round)")
        // As after a crash: what was not committed is lost.
        if generator.oneIn(3) { (filter, waiting, running) = (loaded, nil, nil) }
      }
    }
    try end()
    let loaded = try #require(try store.load(admission))
    #expect(loaded.contents == committed)
    #expect(loaded.statistics.distinctIDs > 1000)
  }

  @Test(arguments: [filters[0], filters[1]])
  func aCommitWritesInProportionToWhatChanged(_ admission: Admission) throws {
    let store = try FilterTree()
    let large: Admission
    if case .counter = admission {
      large = admission
    } else {
      large = .bloomFilter(expectedIDs: 2_000_000)
    }
    let filter = try #require(AdmissionFilter(large))
    var id = 0
    func commit(_ ids: Int, _ generation: Int) throws -> Int {
      for _ in 0..<ids {
        filter.count(FilterCountingTests.hash(id), times: 1)
        id += 1
      }
      filter.fix()
      filter.beginCommit()
      let before = try store.states()
      try store.commit(filter, generation: UInt64(generation))
      filter.endCommit()
      let after = try store.states()
      return after.reduce(0) { $0 + (before[$1.key] == $1.value ? 0 : $1.value.count) }
    }
    if filter.isExact { _ = try commit(400_000, 1) }
    var most = 0
    var sum = 0
    for generation in 2..<300 {
      let written = try commit(200, generation)
      most = max(most, written)
      sum += written
    }
    // 12 bytes a sighting, three times, and the small last record.
    #expect(sum / 298 < 200 * 12 * 3 + 20_000)
    #expect(most < 250_000)
    let sizes = try store.sizes()
    let journal = sizes.filter { $0.key > FilterFormat.recordKey }
    #expect(journal.count < 300)
  }

  @Test func theJournalStaysBelowItsShareOfTheFilter() throws {
    let admission = Admission.bloomFilter(expectedIDs: 200_000)
    let store = try FilterTree()
    let filter = try #require(AdmissionFilter(admission))
    let cells = filter.format(layers: 1).cellBytes
    var most = 0
    for generation in 0..<100 {
      for id in 0..<2000 {
        filter.count(FilterCountingTests.hash(generation * 2000 + id), times: 1)
      }
      filter.fix()
      filter.beginCommit()
      try store.commit(filter, generation: UInt64(generation))
      filter.endCommit()
      let journal = try store.sizes().reduce(0) {
        $0 + ($1.key > FilterFormat.recordKey ? $1.count : 0)
      }
      most = max(most, journal)
    }
    #expect(most < cells * 6 / 10 + 100_000)
    #expect(try store.load(admission)?.contents == filter.contents)
  }

  @Test func aCommitBesideTrainingWritesWhatWasFixed() throws {
    let admission = Admission.countingBloomFilter(threshold: 3, expectedIDs: 1000)
    let store = try FilterTree()
    let filter = try #require(AdmissionFilter(admission))
    for id in 0..<500 { filter.count(FilterCountingTests.hash(id), times: 1) }
    filter.fix()
    let fixed = filter.contents
    for id in 0..<3000 { filter.count(FilterCountingTests.hash(id), times: 1) }
    filter.growIfNeeded()
    #expect(filter.layerCount == 2)
    filter.beginCommit()
    try store.commit(filter, generation: 1)
    filter.endCommit()
    let loaded = try #require(try store.load(admission))
    #expect(loaded.contents == fixed)
    #expect(loaded.layerCount == 1)
    filter.fix()
    filter.beginCommit()
    try store.commit(filter, generation: 2)
    #expect(try store.load(admission)?.contents == filter.contents)
  }

  @Test func nothingIsWrittenWhereNothingChanged() throws {
    let store = try FilterTree()
    let filter = try #require(AdmissionFilter(.counter(threshold: 2)))
    filter.fix()
    filter.beginCommit()
    #expect(!filter.hasRunning)
    try store.commit(filter, generation: 1)
    filter.endCommit()
    #expect(try store.sizes().isEmpty)
    #expect(try store.load(.counter(threshold: 2))?.statistics.distinctIDs == 0)
  }
}

extension FilterTree {
  /// All values.
  func states() throws -> [UInt64: [UInt8]] {
    try environment.read { (transaction) throws(EmbeddingError) in
      try transaction.withCursor(tree) { (cursor) throws(EmbeddingError) in
        var states: [UInt64: [UInt8]] = [:]
        while let (key, value) = try cursor.next() { states[key] = Array(value) }
        return states
      }
    }
  }
}
