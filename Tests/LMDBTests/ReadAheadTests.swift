import LMDB
import Testing

/// Which pages are asked for ahead of a scan.
@Suite struct ReadAheadTests {
  /// The pages asked for, by a scan that reaches `pages` one after the other.
  private func asked(_ pages: some Sequence<UInt>) -> [Range<UInt>] {
    // Beyond the addresses of any process: the system refuses the advice.
    let base = UInt(1) << 40
    var readAhead = ReadAhead()
    var ranges: [Range<UInt>] = []
    for page in pages {
      readAhead.reach(UnsafeRawPointer(bitPattern: (base + page) << 12 + 16))
      guard let asked = readAhead.asked, asked != ranges.last else { continue }
      ranges.append(asked)
    }
    return ranges.map { ($0.lowerBound >> 12) - base..<($0.upperBound >> 12) - base }
  }

  @Test func aScanInTheOrderOfTheFileAsksForEveryPageOnce() {
    let ranges = asked((0..<2000).map { UInt($0) })
    #expect(ranges.first?.lowerBound == 4)
    for (last, next) in zip(ranges, ranges.dropFirst()) {
      #expect(next.lowerBound == last.upperBound)
    }
    #expect(ranges.last!.upperBound >= 2000 && ranges.last!.upperBound < 2300)
  }

  @Test func largeBlocksWithAPageOfTheTreeBetweenThemAreAScan() {
    #expect(!asked((0..<10).map { UInt($0 * 17) }).isEmpty)
  }

  @Test func readsAtRandomAskForNothing() {
    var random: UInt = 1
    let pages = (0..<1000).map { _ -> UInt in
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return random >> 34
    }
    #expect(asked(pages).isEmpty)
    #expect(asked((0..<1000).map { UInt(1000 - $0) }).isEmpty)
    #expect(asked(repeatElement(7, count: 1000)).isEmpty)
  }
}
