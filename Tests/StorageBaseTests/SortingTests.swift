import StorageBase
import Testing

@Suite struct SortingTests {
  @Test(arguments: [0, 1, 2, 255, 256, 257, 1_000, 100_000])
  func radixSortOrdersByKeyAndKeepsTheOrderOfEqualOnes(count: Int) {
    let mixed: [(UInt64) -> UInt64] = [
      { mix64($0 &+ golden) }, { $0 }, { ~$0 }, { _ in 7 }, { mix64($0) % 50 },
      { mix64($0) << 40 }, { ($0 % 2) << 63 }, { mix64($0) % 50 << 50 | mix64($0 &+ 1) & 0xffff },
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

  @Test(arguments: [(0, 0), (0, 3), (3, 0), (500, 700)])
  func mergingKeepsTheOrderOfEqualKeysAndTheFirstListFirst(one: Int, other: Int) {
    func list(_ count: Int, _ value: UInt32) -> [KeyedIndex] {
      (0..<count).map { KeyedIndex(key: UInt64($0 / 3), index: UInt32($0), value: value) }
    }
    let (first, second) = (list(one, 1), list(other, 2))
    var merged = first + second
    let expected = merged.sorted {
      ($0.key, $0.value, $0.index) < ($1.key, $1.value, $1.index)
    }
    first.withUnsafeBufferPointer { first in
      second.withUnsafeBufferPointer { second in
        merged.withUnsafeMutableBufferPointer { target in
          guard let start = target.baseAddress else { return }
          merge(first, second, into: start)
        }
      }
    }
    #expect(merged == expected)
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
