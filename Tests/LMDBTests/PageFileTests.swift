import LMDB
import StorageBase
import TestSupport
import Testing

/// Values that the caller writes to the file himself.
@Suite struct PageFileTests {
  let directory = TemporaryDirectory()

  /// A value of `pages` pages that differs from others everywhere.
  private func value(_ number: Int, pages: Int) -> [UInt8] {
    (0..<pages * PageFile.pageSize - PageFile.headerSize).map {
      UInt8(truncatingIfNeeded: (number &* 31 &+ $0) &* 7 &+ $0 >> 8)
    }
  }

  /// Sets values as ``Appender/reserve(_:count:isLast:)`` does; how many LMDB kept in its hands.
  @discardableResult
  private func set(
    _ values: [(key: UInt64, value: [UInt8])], in rows: NamedDatabase, areLast: Bool,
    _ transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> Int {
    var places: [UInt64?] = []
    try transaction.withAppender(rows) { (tree) throws(EmbeddingError) in
      for (key, value) in values {
        places.append(try tree.reserve(key, count: value.count, isLast: areLast))
      }
    }
    var kept = 0
    for ((key, value), place) in zip(values, places) {
      guard let place, let file = transaction.pageFile else {
        try value.withBytes { (value) throws(EmbeddingError) in
          try transaction.put(key, value, in: rows)
        }
        kept += 1
        continue
      }
      let count = (value.count + PageFile.headerSize) / PageFile.pageSize
      var pages = [UInt8](repeating: 0, count: PageFile.headerSize) + value
      let code = pages.withUnsafeMutableBytes { pages in
        PageFile.setHeader(pages.baseAddress!, page: place, count: count)
        return file.write(UnsafeRawBufferPointer(pages), at: place)
      }
      try transaction.check(writing: code)
    }
    return kept
  }

  @Test func valuesOfAllSizesAreThereAndReplacedAndRemovedAndNoPageIsLost() throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    var random = SeededGenerator(seed: 11)
    var expected: [UInt64: [UInt8]] = [:]
    var kept = 0
    for round in 0..<12 {
      try environment.write { (transaction) throws(EmbeddingError) in
        for step in 0..<60 {
          let number = round * 100 + step
          var values: [(key: UInt64, value: [UInt8])] = []
          for _ in 0..<Int.random(in: 1...20, using: &random) {
            let key = UInt64.random(in: 0..<400, using: &random)
            if values.contains(where: { $0.key == key }) { continue }
            values.append((key, value(number, pages: Int.random(in: 1...4, using: &random))))
          }
          kept += try set(values, in: rows, areLast: false, transaction)
          for (key, value) in values { expected[key] = value }
          // What LMDB itself writes, and takes away, beside them.
          let key = UInt64.random(in: 0..<400, using: &random)
          if step % 3 == 0 {
            try transaction.delete(key, in: rows)
            expected[key] = nil
          } else if step % 3 == 1 {
            let value = value(number, pages: 1 + step % 2)
            try value.withBytes { (value) throws(EmbeddingError) in
              try transaction.put(key, value, in: rows)
            }
            expected[key] = value
          }
          let seen = UInt64.random(in: 0..<400, using: &random)
          #expect(try transaction.get(seen, in: rows).map { Array($0) } == expected[seen])
          if step % 17 == 0 { try transaction.writeAhead(rows, forgetting: step % 2 == 0) }
        }
      }
      for key in UInt64(0)..<400 {
        #expect(try environment.value(key, in: rows) == expected[key], "round \(round)")
      }
    }
    #expect(kept == 0)
    try environment.expectNoPageIsLost(rows)
  }

  @Test func newKeysFillTheirPages() throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    let count: UInt64 = 6_000
    let one = value(1, pages: 1)
    try environment.write { (transaction) throws(EmbeddingError) in
      var next: UInt64 = 0
      while next < count {
        let values = (next..<next + 1_000).map { (key: $0, value: one) }
        let kept = try set(values, in: rows, areLast: true, transaction)
        #expect(kept == 0)
        next += 1_000
      }
    }
    for key in stride(from: 0, to: count, by: 97) {
      #expect(try environment.value(key, in: rows) == one)
    }
    let tree = try environment.read { (transaction) throws(EmbeddingError) in
      try transaction.statistics(of: rows)
    }
    #expect(tree.overflowPages == Int(count))
    // 26 bytes an entry, of 4,080; each set begins a page.
    #expect(tree.leafPages <= Int(count) / 150 + 6)
    try environment.expectNoPageIsLost(rows)
  }

  @Test func nothingIsSeenOfATransactionThatIsUndone() throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    let before = (0..<50).map { (key: UInt64($0), value: value($0, pages: 2)) }
    try environment.write { (transaction) throws(EmbeddingError) in
      _ = try set(before, in: rows, areLast: true, transaction)
    }
    for round in 0..<3 {
      let thrown = code { () throws(EmbeddingError) in
        try environment.write { (transaction) throws(EmbeddingError) in
          try set(
            before.map { ($0.key, value(900 + round, pages: 2)) }, in: rows, areLast: false,
            transaction)
          throw EmbeddingError(.cancelled, "enough")
        }
      }
      #expect(thrown == .cancelled)
      for (key, value) in before { #expect(try environment.value(key, in: rows) == value) }
    }
  }

  @Test func aMapThatIsFullGrows() throws {
    let environment = try open(directory.path, mapSize: 1 << 20)
    let rows = try environment.rows()
    let values = (0..<600).map { (key: UInt64($0), value: value($0, pages: 2)) }
    try environment.write { (transaction) throws(EmbeddingError) in
      _ = try set(values, in: rows, areLast: true, transaction)
    }
    for (key, value) in values { #expect(try environment.value(key, in: rows) == value) }
  }

  @Test func smallValuesStayInLMDBsHands() throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    let values = (0..<100).map { (key: UInt64($0), value: [UInt8](repeating: 7, count: 50)) }
    try environment.write { (transaction) throws(EmbeddingError) in
      let kept = try set(values, in: rows, areLast: true, transaction)
      #expect(kept == 100)
    }
    for (key, value) in values { #expect(try environment.value(key, in: rows) == value) }
  }

  @Test func anErrorOfTheSystemIsThrown() throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    try environment.set(1, 1, in: rows)
    let thrown = code { () throws(EmbeddingError) in
      try environment.write { (transaction) throws(EmbeddingError) in
        let file = transaction.pageFile!
        // No file has such a page.
        let code = [UInt8](repeating: 0, count: PageFile.pageSize).withUnsafeBytes {
          file.write($0, at: 1 << 50)
        }
        try transaction.check(writing: code)
      }
    }
    #expect(thrown != nil)
    #expect(try environment.value(1, in: rows)?.first == 1)
    try environment.set(2, 1, in: rows)
  }
}
