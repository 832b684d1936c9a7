import Embeddings
import LMDB
import StorageBase
import TestSupport
import Testing

/// What `Formats.md` says of the bytes of format version 3, checked with literal offsets: these tests
/// may not change as long as the version does not.
@Suite struct FormatTests {
  let directory = TemporaryDirectory()

  /// Trains a small table, and lends what is on disk.
  private func stored(
    _ configuration: TableConfiguration, _ train: (EmbeddingTable) throws -> Void,
    _ check: (StoredBytes) throws -> Void
  ) throws {
    let database = try EmbeddingDatabase(at: directory.path)
    let table = try database.table("t", configuration)
    try train(table)
    try database.commit(step: 7)
    try database.close()
    try check(StoredBytes(path: directory.path))
  }

  @Test func databaseRecordHasItsFieldsAtTheirOffsets() throws {
    try stored(TableConfiguration(dimension: 2, optimizer: .sgd())) { _ in
    } _: { stored in
      let record = try stored.record("database")
      #expect(record.count == 48)
      #expect(record[0..<8] == [0x89, 0x45, 0x4D, 0x42, 0x44, 0x42, 0x31, 0x00])
      #expect(record.load(8, UInt32.self) == 3)
      #expect(record.load(12, UInt32.self) == 2, "the number of the next table")
      #expect(record.load(24, Int64.self) == 7)
      #expect(record.load(32, UInt64.self) == 0)
      #expect(record.load(40, UInt64.self) == stored.checksum(of: record, key: "database"))
    }
  }

  @Test func tableRecordHasItsFieldsAtTheirOffsets() throws {
    var configuration = TableConfiguration(
      dimension: 2, idType: .int64, initializer: .uniform(-1...1), seed: 5,
      optimizer: .adagrad(learningRate: 0.5))
    configuration.admission = .countingBloomFilter(threshold: 1, expectedIDs: 9)
    configuration.cutoff = 2
    configuration.counting = .updates
    try stored(configuration) { table in
      for _ in 0..<2 { try table.update([3, -4], gradients: [[1, 1], [1, 1]], step: 7) }
      try table.update([5], gradients: [[1, 1]], step: 7)
    } _: { stored in
      let record = try stored.record("table:t")
      #expect(record.load(0, UInt32.self) == 1)
      #expect(record.load(4, UInt32.self) == 2)
      #expect(record.load(8, UInt32.self) == 2, "adagrad keeps as many slots as floats")
      #expect(record.load(12, UInt32.self) == 1)
      #expect(record[16] == 1)
      #expect(record.load(17, UInt64.self) == 5)
      #expect(record.load(25, UInt64.self) == 2)
      #expect(record.load(33, UInt64.self) == 4)
      #expect(record.load(57, UInt64.self) == 1, "the generation of the last change")
      #expect(record.load(65, UInt64.self) == 0, "the oldest that a delta can begin from")
      #expect(record.load(73, UInt64.self) == 2, "commits in the log")
      #expect(record.load(81, UInt64.self) == 0, "deleted ids that are kept")
      var rest = Array(record[89...].dropLast(8))[...]
      #expect(rest.string() == "uniform")
      #expect(rest.parameters() == ["low = -1.0", "high = 1.0"])
      #expect(rest.string() == "adagrad")
      #expect(rest.float() == 0.5)
      #expect(rest.parameters() == ["initialAccumulator = 0.1", "epsilon = 1e-07"])
      #expect(rest.string() == "countingBloomFilter")
      func next() -> UInt64 {
        defer { rest = rest.dropFirst(8) }
        return Array(rest).load(0, UInt64.self)
      }
      #expect(next() == 1 && next() == 9 && Double(bitPattern: next()) == 0.01)
      #expect(next() == 2 && next() == 0, "cutoff and shared rows")
      #expect(rest.removeFirst() == 1, "counts updates")
      #expect([next(), next(), next(), next()] == [1, 3, 2, 0])
      #expect(rest.isEmpty)
      #expect(
        record.load(record.count - 8, UInt64.self) == stored.checksum(of: record, key: "table:t"))
    }
  }

  @Test func int64IdsAreInNumericalOrderAndNameTheirRows() throws {
    try stored(TableConfiguration(dimension: 2, idType: .int64, optimizer: .sgd())) { table in
      try table.update([3, -4, 3], gradients: [[1, 1], [1, 1], [1, 1]], step: 7)
      try table.update([3], gradients: [[1, 1]], step: 7)
    } _: { stored in
      // The one page stands under its greatest key: both keys, and then both row numbers.
      let (three, minusFour) = (UInt64(3) ^ 1 << 63, UInt64(bitPattern: -4) ^ 1 << 63)
      let page = try stored.value(of: three, in: "ids.1")
      #expect(page.count == 8 + 2 * 16)
      #expect(page.load(0, UInt64.self) == page[8...].withUnsafeBytes { xxh3($0, seed: three) })
      #expect(page.load(8, UInt64.self) == minusFour && page.load(16, UInt64.self) == three)
      #expect(page.load(24, UInt64.self) == 1)
      #expect(page.load(32, UInt64.self) == 0, "the more frequent one stands first")
    }
  }

  @Test func byteStringIdsStandUnderTheirHash() throws {
    try stored(TableConfiguration(dimension: 2, optimizer: .sgd())) { table in
      try table.update(["king"], gradients: [[1, 1]], step: 7)
    } _: { stored in
      let hash = Array("king".utf8).withUnsafeBytes { xxh3($0) }
      let value = try stored.value(of: hash, in: "ids.1")
      #expect(value == [0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0] + Array("king".utf8))
    }
  }

  @Test func blocksHaveTheirColumnsAtTheirOffsets() throws {
    let configuration = TableConfiguration(
      dimension: 3, idType: .int64, initializer: .zeros, optimizer: .momentum(learningRate: 1))
    try stored(configuration) { table in
      try table.update([9], gradients: [[1, 2, 3]], step: 6)
      try table.update([9, -1], gradients: [[0, 0, 0], [4, 5, 6]], step: 7)
    } _: { stored in
      let block = try stored.value(of: 0, in: "blocks.1")
      let rows = (4096 - 16 - 8) / (32 + 4 * (3 + 3))
      #expect(block.count == 4080)
      #expect(block.load(8, UInt64.self) == 1, "the generation of the commit")
      #expect(block.load(16, UInt64.self) == 1)
      let keys = 8 + 8 * rows
      #expect(block.load(keys, Int64.self) == 9)
      #expect(block.load(keys + 8, Int64.self) == -1)
      let frequencies = 8 + 16 * rows
      #expect(block.load(frequencies, UInt64.self) == 2)
      #expect(block.load(frequencies + 8, UInt64.self) == 1)
      let lastSteps = 8 + 24 * rows
      #expect(block.load(lastSteps, Int64.self) == 7)
      let vectors = 8 + 32 * rows
      #expect(block.load(vectors + 12, Float32Bits.self) == Float(-4).bitPattern)
      let slots = vectors + 4 * 3 * rows
      #expect(block.load(slots + 12, Float32Bits.self) == Float(4).bitPattern)
      #expect(block[(slots + 24)...].allSatisfy { $0 == 0 })
      let content = Array(block[keys...]).withUnsafeBytes { xxh3($0, seed: 0) }
      #expect(
        block.load(0, UInt64.self)
          == Array(block[8..<keys]).withUnsafeBytes { xxh3($0, seed: content) })
    }
  }

  @Test func stateTreeHasItsRegionsAtTheirKeys() throws {
    try stored(TableConfiguration(dimension: 2, idType: .int64, optimizer: .sgd())) { table in
      try table.update([3, -4], gradients: [[1, 1], [1, 1]], step: 6)
      try table.database.commit(step: 6)
      try table.delete([-4])
    } _: { stored in
      for region: UInt64 in [0, 1] {
        let page = try stored.value(of: region << 56, in: "state.1")
        #expect(page.count == 4080)
        #expect(page.load(8, UInt64.self) == 2, "block, or page, 0 was changed by commit 2")
        #expect(page[16...].allSatisfy { $0 == 0 })
        #expect(page.load(0, UInt64.self) == checksum(page[8...], key: region << 56))
      }
      let record = try stored.record("table:t")
      let commit = try stored.value(of: 2 << 56 | 2, in: "state.1")
      #expect(commit.count == 48)
      #expect(commit.load(0, Int64.self) == 7)
      #expect(commit.load(8, UInt64.self) == 0)
      #expect(commit[16..<32] == record[41..<57], "the identity")
      #expect(commit.load(32, UInt64.self) == 1, "a deleted id")
      #expect(commit.load(40, UInt64.self) == checksum(commit[..<40], key: 2 << 56 | 2))
      let key: UInt64 = 3 << 56 | 2 << 16
      let chunk = try stored.value(of: key, in: "state.1")
      #expect(chunk.count == 16)
      #expect(chunk.load(8, UInt64.self) == UInt64(bitPattern: -4) ^ (1 << 63))
      #expect(chunk.load(0, UInt64.self) == checksum(chunk[8...], key: key))
    }
  }

  private func checksum(_ bytes: ArraySlice<UInt8>, key: UInt64) -> UInt64 {
    Array(bytes).withUnsafeBytes { xxh3($0, seed: key) }
  }
}

private typealias Float32Bits = UInt32

/// The values of an environment, as they stand in it.
private struct StoredBytes {
  let environment: Environment

  init(path: String) throws {
    var options = Environment.Options()
    options.isReadOnly = true
    environment = try Environment(path: path, options: options)
  }

  func record(_ key: String) throws -> [UInt8] {
    let meta = try #require(
      try environment.namedDatabase("meta", integerKeys: false, create: false))
    let key = Array(key.utf8)
    return try environment.read { (transaction) throws(EmbeddingError) in
      try key.withBytes { (key) throws(EmbeddingError) in
        Array(try transaction.get(key, in: meta) ?? .init(start: nil, count: 0))
      }
    }
  }

  func value(of key: UInt64, in tree: String) throws -> [UInt8] {
    let tree = try #require(try environment.namedDatabase(tree, integerKeys: true, create: false))
    return try environment.read { (transaction) throws(EmbeddingError) in
      Array(try transaction.get(key, in: tree) ?? .init(start: nil, count: 0))
    }
  }

  func checksum(of record: [UInt8], key: String) -> UInt64 {
    let seed = Array(key.utf8).withUnsafeBytes { xxh3($0) }
    return Array(record.dropLast(8)).withUnsafeBytes { xxh3($0, seed: seed) }
  }
}

extension [UInt8] {
  fileprivate func load<T: FixedWidthInteger>(_ offset: Int, _ type: T.Type) -> T {
    T(
      littleEndian: withUnsafeBytes {
        $0.loadUnaligned(fromByteOffset: offset, as: type)
      })
  }
}

extension ArraySlice<UInt8> {
  fileprivate mutating func number() -> UInt32 {
    defer { removeFirst(4) }
    return Array(prefix(4)).load(0, UInt32.self)
  }

  fileprivate mutating func float() -> Float { Float(bitPattern: number()) }

  fileprivate mutating func string() -> String {
    let count = Int(number())
    defer { removeFirst(count) }
    return String(decoding: prefix(count), as: UTF8.self)
  }

  fileprivate mutating func parameters() -> [String] {
    (0..<Int(number())).map { _ in
      let name = string()
      return "\(name) = \(float())"
    }
  }
}
