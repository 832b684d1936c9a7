import StorageBase
import Testing

@Suite struct SortingTests {
  @Test(arguments: [0, 1, 2, 255, 256, 257, 1_000, 100_000])
  func radixSortOrdersByKeyAndKeepsTheOrderOfEqualOnes(count: Int) {
    let mixed: [(UInt64) -> UInt64] = [
      { mix64($0 &+ golden) }, { $0 }, { ~$0 }, { _ in 7 }, { mix64($0) % 50 },
      { mix64($0) << 40 }, { ($0 % 2) << 63 },
    ]
    for key in mixed {
      var elements = (0..<UInt32(count)).map { KeyedIndex(key: key(UInt64($0)), index: $0) }
      let expected = elements.sorted {
        $0.key != $1.key ? $0.key < $1.key : $0.index < $1.index
      }
      radixSort(&elements)
      #expect(elements == expected)
    }
  }

  @Test func concurrentlyReturnsWhenBothAreDone() {
    var (a, b) = (0, 0)
    for i in 0..<200 {
      concurrently({ a += i }, { b -= i })
      #expect(a == -b)
    }
    #expect(a == 19_900)
  }
}
