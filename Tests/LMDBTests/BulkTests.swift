import Glibc
import LMDB
import StorageBase
import TestSupport
import Testing

/// What loading many values at once uses: an appender, and pages written ahead of the commit.
@Suite struct BulkTests {
  let directory = TemporaryDirectory()

  private func bytes(_ key: UInt64, count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: key &* 31 &+ UInt64($0)) }
  }

  @Test(arguments: [1, 8, 13, 200, 1_500, 5_000])
  func appendedKeysAreThereAndFillTheirPagesAsPlainAppendsDo(size: Int) throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    let plain = try environment.namedDatabase("plain", integerKeys: true, create: true)!
    let count: UInt64 = 3_000
    try environment.write { (transaction) throws(EmbeddingError) in
      var room = 0
      for part in 0..<3 {
        try transaction.withAppender(rows, room: &room) { (appender) throws(EmbeddingError) in
          for key in UInt64(part) * 1_000..<UInt64(part + 1) * 1_000 {
            try bytes(key, count: size).withBytes { (value) throws(EmbeddingError) in
              try appender.append(key << 20, value)
            }
          }
        }
        try transaction.writeAhead(rows)
      }
      for key in 0..<count {
        try bytes(key, count: size).withBytes { (value) throws(EmbeddingError) in
          try transaction.append(key << 20, value, in: plain)
        }
      }
    }
    try environment.read { (transaction) throws(EmbeddingError) in
      for key in 0..<count {
        let value = try transaction.get(key << 20, in: rows)
        #expect(value.map { Array($0) } == bytes(key, count: size))
      }
      let (ours, theirs) = (
        try transaction.statistics(of: rows), try transaction.statistics(of: plain)
      )
      #expect(ours.entries == Int(count))
      #expect(ours.leafPages <= theirs.leafPages, "\(ours) \(theirs)")
      #expect(ours.overflowPages == theirs.overflowPages)
    }
  }

  @Test func aKeyThatIsNotAboveAllOthersIsRefusedOrFindsItsPlace() throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    try environment.set(100, 1, in: rows)
    let thrown = code { () throws(EmbeddingError) in
      try environment.write { (transaction) throws(EmbeddingError) in
        try transaction.withAppender(rows) { (appender) throws(EmbeddingError) in
          try [2].withBytes { (value) throws(EmbeddingError) in try appender.append(50, value) }
        }
      }
    }
    #expect(thrown == .invalidArgument)
    try environment.write { (transaction) throws(EmbeddingError) in
      try transaction.withAppender(rows) { (appender) throws(EmbeddingError) in
        for key: UInt64 in [200, 150] {
          try [3].withBytes { (value) throws(EmbeddingError) in try appender.append(key, value) }
        }
      }
    }
    #expect(try environment.value(150, in: rows) == [3])
    #expect(try environment.value(200, in: rows) == [3])
  }

  @Test(arguments: [false, true])
  func pagesWrittenAheadAreReadOverwrittenAndDeletedInTheSameTransaction(forgetting: Bool) throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    var random = SeededGenerator(seed: 5)
    var expected: [UInt64: [UInt8]] = [:]
    try environment.write { (transaction) throws(EmbeddingError) in
      for step in 0..<6_000 {
        let key = UInt64(random.floats(1)[0].bitPattern % 500)
        switch step % 5 {
        case 0:
          try transaction.delete(key, in: rows)
          expected[key] = nil
        default:
          let value = bytes(UInt64(step), count: [8, 100, 3_000, 8_176, 20_000][step % 5])
          try transaction.put(key, value, in: rows)
          expected[key] = value
        }
        #expect(try transaction.get(key, in: rows).map { Array($0) } == expected[key])
        // Some are forgotten, and others not.
        if step % 37 == 0 {
          try transaction.writeAhead(rows, forgetting: forgetting && step % 2 == 0)
        }
      }
    }
    for key in UInt64(0)..<500 { #expect(try environment.value(key, in: rows) == expected[key]) }
    try environment.expectNoPageIsLost(rows)
  }

  @Test func nothingWrittenAheadIsSeenWhereTheTransactionIsUndone() throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    for key in UInt64(0)..<100 { try environment.set(key, 1, count: 5_000, in: rows) }
    for _ in 0..<3 {
      let thrown = code { () throws(EmbeddingError) in
        try environment.write { (transaction) throws(EmbeddingError) in
          for key in UInt64(0)..<300 {
            try transaction.put(key, [UInt8](repeating: 9, count: 5_000), in: rows)
            if key % 50 == 49 { try transaction.writeAhead(rows) }
          }
          throw EmbeddingError(.cancelled, "enough")
        }
      }
      #expect(thrown == .cancelled)
    }
    for key in UInt64(0)..<300 {
      #expect(try environment.value(key, in: rows)?.first == (key < 100 ? 1 : nil))
    }
  }

  @Test func aMapThatIsFullGrowsAndTheBodyRunsAgain() throws {
    let environment = try open(directory.path, mapSize: 1 << 20)
    let rows = try environment.rows()
    try environment.write { (transaction) throws(EmbeddingError) in
      for key in UInt64(0)..<2_000 {
        try transaction.put(key, bytes(key, count: 5_000), in: rows)
        if key % 20 == 0 { try transaction.writeAhead(rows) }
      }
    }
    for key in UInt64(0)..<2_000 {
      #expect(try environment.value(key, in: rows) == bytes(key, count: 5_000))
    }
  }

  /// LMDB 0.9.24 forgets a MiB of addresses at the end of each transaction that wrote pages ahead. A
  /// process of its own, since other tests need memory at the same time.
  @Test func pagesWrittenAheadLeaveNoMemoryBehind() async {
    await #expect(processExitsWith: .success) { [path = directory.path as String] in
      let environment = try open(path)
      let rows = try environment.rows()
      let value = [UInt8](repeating: 1, count: 8_000)
      func write(fails: Bool) {
        try? environment.write { (transaction) throws(EmbeddingError) in
          for key in 0..<64 as Range<UInt64> {
            try value.withBytes { (value) throws(EmbeddingError) in
              try transaction.put(key, value, in: rows)
            }
          }
          try transaction.writeAhead(rows)
          if fails { throw EmbeddingError(.io, "stopped by the test") }
        }
      }
      write(fails: false)
      let before = addressSpace()
      for round in 0..<64 { write(fails: round % 2 == 1) }
      #expect(addressSpace() < before + 32 << 20)
    }
  }
}

/// Bytes of addresses that this process uses.
private func addressSpace() -> Int {
  guard let file = fopen("/proc/self/statm", "r") else { return 0 }
  defer { fclose(file) }
  var line = [CChar](repeating: 0, count: 128)
  fgets(&line, 128, file)
  return strtol(line, nil, 10) * Int(getpagesize())
}
