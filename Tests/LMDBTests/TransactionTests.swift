import LMDB
import StorageBase
import TestSupport
import Testing

@Suite struct TransactionTests {
  let directory = TemporaryDirectory()

  @Test func committedRowsAreReadBackAndUndoneOnesAreNot() throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    try environment.set(7, 1, in: rows)
    let thrown = code { () throws(EmbeddingError) in
      try environment.write { (transaction) throws(EmbeddingError) in
        try transaction.put(7, [9], in: rows)
        #expect(try transaction.get(7, in: rows).map { Array($0) } == [9])
        throw EmbeddingError(.cancelled, "enough")
      }
    }
    #expect(thrown == .cancelled)
    #expect(try environment.value(7, in: rows) == [UInt8](repeating: 1, count: 8))
    #expect(try environment.value(8, in: rows) == nil)
  }

  @Test func aReadTransactionSeesOneCommitForAsLongAsItLives() throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    try environment.set(1, 1, in: rows)
    let old = try environment.beginRead()
    try environment.set(1, 2, in: rows)
    #expect(try old.get(1, in: rows)?.first == 1)
    #expect(try environment.value(1, in: rows)?.first == 2)
    let id = try environment.read { (transaction) throws(EmbeddingError) in transaction.id }
    #expect(id == old.id + 1)
  }

  @Test func nestedReadsAndReadsWithinAWriteSeeTheLastCommit() throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    try environment.write { (transaction) throws(EmbeddingError) in
      try transaction.put(1, [1], in: rows)
      #expect(try environment.value(1, in: rows) == nil)
    }
    try environment.read { (outer) throws(EmbeddingError) in
      try environment.set(1, 2, in: rows)
      #expect(try outer.get(1, in: rows)?.first == 1)
      #expect(try environment.value(1, in: rows)?.first == 2)
    }
  }

  @Test func integerKeysAreOrderedByNumber() throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    let keys: [UInt64] = [0, 1, 255, 256, 65536, 1 << 40, .max]
    try environment.write { (transaction) throws(EmbeddingError) in
      for key in keys.reversed() { try transaction.put(key, [UInt8(key & 0xff)], in: rows) }
    }
    try environment.read { (transaction) throws(EmbeddingError) in
      try transaction.withCursor(rows) { (cursor) throws(EmbeddingError) in
        var seen: [UInt64] = []
        while let entry = try cursor.next() { seen.append(entry.key) }
        #expect(seen == keys)
        #expect(try cursor.first()?.key == 0)
        #expect(try cursor.previous() == nil)
        #expect(try cursor.last()?.key == .max)
        #expect(try cursor.previous()?.key == 1 << 40)
        #expect(try cursor.seek(256).map { Array($0) } == [0])
        #expect(try cursor.seek(257) == nil)
        #expect(try cursor.seek(atOrAfter: 257)?.key == 65536)
      }
    }
  }

  @Test func byteStringKeysAreOrderedByBytes() throws {
    let environment = try open(directory.path)
    let names = try environment.namedDatabase("names", integerKeys: false, create: true)!
    let keys = ["a", "ab", "b"].map { Array($0.utf8) }
    try environment.write { (transaction) throws(EmbeddingError) in
      for key in keys {
        try key.withBytes { (bytes) throws(EmbeddingError) in
          try transaction.append(bytes, bytes, in: names)
        }
      }
      let refused = code { () throws(EmbeddingError) in
        try keys[0].withBytes { (bytes) throws(EmbeddingError) in
          try transaction.append(bytes, bytes, in: names)
        }
      }
      #expect(refused == .invalidArgument)
    }
    try environment.read { (transaction) throws(EmbeddingError) in
      try transaction.withCursor(names) { (cursor) throws(EmbeddingError) in
        var seen: [[UInt8]] = []
        while let entry = try cursor.nextBytes() { seen.append(Array(entry.key)) }
        #expect(seen == keys)
        #expect(try cursor.lastBytes().map { Array($0.key) } == keys[2])
        #expect(try cursor.previousBytes().map { Array($0.key) } == keys[1])
        #expect(try cursor.firstBytes().map { Array($0.value) } == keys[0])
        try Array("aa".utf8).withBytes { (key) throws(EmbeddingError) in
          #expect(try cursor.seek(key) == nil)
          #expect(try cursor.seek(atOrAfter: key).map { Array($0.key) } == keys[1])
          #expect(try transaction.get(key, in: names) == nil)
        }
      }
    }
  }

  @Test func keysOfOneTo511BytesAreTakenAndOthersRefused() throws {
    let environment = try open(directory.path)
    let names = try environment.namedDatabase("names", integerKeys: false, create: true)!
    for (count, expected) in [
      (0, EmbeddingError.Code.invalidArgument), (1, nil), (511, nil),
      (512, .invalidArgument),
    ] {
      let key = [UInt8](repeating: 1, count: count)
      let put = code { () throws(EmbeddingError) in
        try environment.write { (transaction) throws(EmbeddingError) in
          try key.withBytes { (key) throws(EmbeddingError) in
            try transaction.put(key, key, in: names)
          }
        }
      }
      let get = code { () throws(EmbeddingError) in
        try environment.read { (transaction) throws(EmbeddingError) in
          try key.withBytes { (bytes) throws(EmbeddingError) in
            #expect(try transaction.get(bytes, in: names).map { Array($0) } == key)
          }
        }
      }
      #expect(put == expected)
      #expect(get == expected)
    }
  }

  @Test func reservedValuesAreFilledInPlace() throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    try environment.write { (transaction) throws(EmbeddingError) in
      for (key, count) in [(UInt64(1), 3), (2, 5), (3, 100_000)] {
        let room = try transaction.reserve(key, count: count, in: rows)
        #expect(room.count == count)
        for index in 0..<count { room[index] = UInt8(truncatingIfNeeded: index) }
      }
    }
    #expect(try environment.value(2, in: rows) == [0, 1, 2, 3, 4])
    #expect(try environment.value(3, in: rows)?.count == 100_000)
    #expect(try environment.value(3, in: rows)?.last == UInt8(truncatingIfNeeded: 99_999))
  }

  @Test func emptyValuesAreValues() throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    try environment.set(1, 0, count: 0, in: rows)
    #expect(try environment.value(1, in: rows) == [])
  }

  @Test func deletedAndClearedRowsAreGone() throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    try environment.write { (transaction) throws(EmbeddingError) in
      for key in 0..<10 { try transaction.append(UInt64(key), [1, 2, 3], in: rows) }
      #expect(try transaction.delete(3, in: rows))
      #expect(try !transaction.delete(3, in: rows))
      #expect(try transaction.statistics(of: rows).entries == 9)
    }
    try environment.write { (transaction) throws(EmbeddingError) in try transaction.clear(rows) }
    let statistics = try environment.read { (transaction) throws(EmbeddingError) in
      try transaction.statistics(of: rows)
    }
    #expect(statistics.entries == 0)
  }

  @Test func cursorsReplaceAndDeleteTheCurrentEntry() throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    try environment.write { (transaction) throws(EmbeddingError) in
      for key in 0..<100 { try transaction.put(UInt64(key), [UInt8(key)], in: rows) }
      try transaction.withCursor(rows) { (cursor) throws(EmbeddingError) in
        while let entry = try cursor.next() {
          if entry.key % 2 == 0 {
            // Longer and longer, so that the page is rearranged and split.
            try [UInt8](repeating: 7, count: Int(entry.key) * 10).withBytes {
              (bytes) throws(EmbeddingError) in try cursor.putCurrent(bytes)
            }
          } else if entry.key % 3 == 0 {
            try cursor.deleteCurrent()
          }
        }
      }
    }
    for key in 0..<100 {
      let expected: [UInt8]? =
        if key % 2 == 0 { [UInt8](repeating: 7, count: key * 10) } else if key % 3 == 0 { nil } else
        {
          [UInt8(key)]
        }
      #expect(try environment.value(UInt64(key), in: rows) == expected)
    }
    let refused = code { () throws(EmbeddingError) in
      try environment.read { (transaction) throws(EmbeddingError) in
        try transaction.withCursor(rows) { (cursor) throws(EmbeddingError) in
          _ = try cursor.first()
          try cursor.deleteCurrent()
        }
      }
    }
    #expect(refused == .readOnly)
  }

  @Test func aSwallowedFailureDoesNotCommit() throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    try environment.write { (transaction) throws(EmbeddingError) in
      // A refused key leaves the transaction as it was.
      try transaction.put(5, [5], in: rows)
      #expect(
        code { () throws(EmbeddingError) in
          try [UInt8]([1]).withBytes { (value) throws(EmbeddingError) in
            try transaction.append(UInt64(1), value, in: rows)
          }
        } == .invalidArgument)
    }
    #expect(try environment.value(5, in: rows) == [5])
  }
}

extension WriteTransaction {
  func append(_ key: UInt64, _ value: [UInt8], in database: NamedDatabase) throws(EmbeddingError) {
    try value.withBytes { (bytes) throws(EmbeddingError) in
      try append(key, bytes, in: database)
    }
  }
}
