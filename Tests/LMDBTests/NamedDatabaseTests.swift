import LMDB
import StorageBase
import TestSupport
import Testing

@Suite struct NamedDatabaseTests {
  let directory = TemporaryDirectory()

  @Test func anAbsentDatabaseIsNilUnlessCreated() throws {
    let environment = try open(directory.path)
    #expect(try environment.namedDatabase("t", integerKeys: true, create: false) == nil)
    #expect(try environment.namedDatabase("t", integerKeys: true, create: true) != nil)
    #expect(try environment.namedDatabase("t", integerKeys: true, create: false) != nil)
  }

  @Test func databasesOutliveTheEnvironment() throws {
    do {
      let environment = try open(directory.path)
      try environment.set(1, 1, in: environment.rows())
      try environment.close()
    }
    let environment = try open(directory.path, isReadOnly: true)
    #expect(try environment.value(1, in: environment.rows())?.first == 1)
  }

  @Test func theOtherKindOfKeysIsAMismatch() throws {
    let environment = try open(directory.path)
    _ = try environment.rows()
    let thrown = code { () throws(EmbeddingError) in
      _ = try environment.namedDatabase("rows", integerKeys: false, create: false)
    }
    #expect(thrown == .configurationMismatch)
    _ = try environment.rows()
  }

  @Test func creationIsUndoneWithItsTransaction() throws {
    let environment = try open(directory.path)
    var escaped: NamedDatabase?
    _ = code { () throws(EmbeddingError) in
      try environment.write { (transaction) throws(EmbeddingError) in
        escaped = try transaction.namedDatabase("t", integerKeys: true, create: true)
        try transaction.put(1, [1], in: escaped!)
        throw EmbeddingError(.cancelled, "enough")
      }
    }
    #expect(try environment.namedDatabase("t", integerKeys: true, create: false) == nil)
    // The number of the handle is given to another database; the old handle must not reach it.
    let other = try environment.rows()
    try environment.set(1, 1, in: other)
    #expect(
      code { () throws(EmbeddingError) in
        _ = try environment.value(1, in: escaped!)
      } == .notFound)
  }

  @Test func aDroppedDatabaseIsGoneAndItsHandlesAreRefused() throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    try environment.set(1, 1, in: rows)
    try environment.write { (transaction) throws(EmbeddingError) in try transaction.drop(rows) }
    #expect(
      code { () throws(EmbeddingError) in
        _ = try environment.value(1, in: rows)
      } == .notFound)
    #expect(try environment.namedDatabase("rows", integerKeys: true, create: false) == nil)
    // Created anew with the other kind of keys, in the same handle number.
    let names = try environment.namedDatabase("rows", integerKeys: false, create: true)!
    let entries = try environment.read { (transaction) throws(EmbeddingError) in
      try transaction.statistics(of: names).entries
    }
    #expect(entries == 0)
    #expect(
      code { () throws(EmbeddingError) in
        _ = try environment.value(1, in: rows)
      } == .notFound)
  }

  @Test func aDropIsUndoneWithItsTransaction() throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    try environment.set(1, 1, in: rows)
    _ = code { () throws(EmbeddingError) in
      try environment.write { (transaction) throws(EmbeddingError) in
        try transaction.drop(rows)
        #expect(try transaction.get(1, in: rows) == nil)
        throw EmbeddingError(.cancelled, "enough")
      }
    }
    #expect(try environment.value(1, in: rows)?.first == 1)
  }

  @Test func aDropWhileTheThreadReadsIsRefused() throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    try environment.set(1, 1, in: rows)
    let reader = try environment.beginRead()
    let thrown = code { () throws(EmbeddingError) in
      try environment.write { (transaction) throws(EmbeddingError) in try transaction.drop(rows) }
    }
    #expect(thrown == .reentrancy)
    #expect(try reader.get(1, in: rows)?.first == 1)
    #expect(try environment.value(1, in: rows)?.first == 1)
  }

  @Test func aHandleOfAnotherEnvironmentIsRefused() throws {
    let environment = try open(directory.path)
    let elsewhere = TemporaryDirectory()
    let other = try open(elsewhere.path)
    _ = try other.rows()
    let rows = try environment.rows()
    #expect(code { () throws(EmbeddingError) in _ = try other.value(1, in: rows) } == .notFound)
  }

  @Test func openingWithinAWriteIsForTheTransaction() throws {
    let environment = try open(directory.path)
    try environment.write { (transaction) throws(EmbeddingError) in
      #expect(code { () throws(EmbeddingError) in _ = try environment.rows() } == .reentrancy)
      #expect(
        code { () throws(EmbeddingError) in
          _ = try environment.namedDatabase("rows", integerKeys: true, create: false)
        } == .reentrancy)
      #expect(try transaction.namedDatabase("rows", integerKeys: true, create: false) == nil)
    }
  }

  @Test func tooManyDatabasesAndBadNamesAreRefused() throws {
    let environment = try open(directory.path)
    for index in 0..<16 {
      _ = try environment.namedDatabase("\(index)", integerKeys: true, create: true)
    }
    for (name, expected) in [
      ("more", EmbeddingError.Code.invalidConfiguration), ("", .invalidArgument),
      (String(repeating: "x", count: 512), .invalidArgument),
    ] {
      #expect(
        code { () throws(EmbeddingError) in
          _ = try environment.namedDatabase(name, integerKeys: true, create: true)
        } == expected)
    }
  }

  @Test func databasesOpenedByManyThreadsAreDistinct() throws {
    let environment = try open(directory.path)
    inThreads(8) { index in
      do throws(EmbeddingError) {
        let database = try environment.namedDatabase("\(index)", integerKeys: true, create: true)!
        try environment.set(0, UInt8(index), in: database)
      } catch { Issue.record(error) }
    }
    for index in 0..<8 {
      let database = try environment.namedDatabase("\(index)", integerKeys: true, create: false)!
      #expect(try environment.value(0, in: database)?.first == UInt8(index))
    }
  }
}
