import LMDB
import StorageBase
import Testing

@testable import Embeddings

/// Two byte strings of the same XXH3 are not to be had; their keys are forced to be equal here.
@Suite struct CollisionTests {
  let scratch = Scratch()

  private func withBytes<R>(
    _ text: String, _ body: (UnsafeRawBufferPointer) throws(EmbeddingError) -> R
  ) throws(EmbeddingError) -> R {
    try Array(text.utf8).withBytes(body)
  }

  private func withKey<R>(_ text: String, _ body: (RowKey) -> R) -> R {
    Array(text.utf8).withUnsafeBytes { body(RowKey(key: 7, bytes: $0)) }
  }

  @Test func entriesUnderOneHashAreToldApart() throws {
    var value: [UInt8] = []
    for (row, text) in ["first", "second", "", "third"].enumerated() where !text.isEmpty {
      value = try withBytes(text) { (bytes) throws(EmbeddingError) in
        try value.withBytes { (old) in
          IDEntries(value: old).appending(row: UInt64(row), bytes: bytes)
        }
      }
    }
    func row(_ text: String) throws -> UInt64? {
      try withBytes(text) { (bytes) throws(EmbeddingError) in
        try value.withBytes { (value) in IDEntries(value: value).row(of: bytes) }
      }
    }
    #expect(try [row("first"), row("second"), row("third"), row("fir")] == [0, 1, 3, nil])
    value = try value.withBytes { (v) in IDEntries(value: v).moving(row: 3, to: 9) }
    #expect(try row("third") == 9)
    value = try value.withBytes { (v) in IDEntries(value: v).removing(row: 0) }
    #expect(try [row("first"), row("second"), row("third")] == [nil, 1, 9])
    // A value that ends within an entry is not read past its end.
    let short = Array(value.dropLast())
    #expect(try short.withBytes { (v) in IDEntries(value: v).map(\.row) } == [1])
  }

  @Test func collidingIDsHaveRowsOfTheirOwnInTheTree() throws {
    let database = try scratch.open()
    let table = try database.table("t", TableConfiguration(dimension: 2, idType: .bytes))
    let storage = table.storage
    let texts = ["one", "two", "three"]
    try database.environment.write { (transaction) throws(EmbeddingError) in
      for (row, text) in texts.enumerated() {
        try withBytes(text) { (bytes) throws(EmbeddingError) in
          try storage.insertID(
            RowKey(key: 42, bytes: bytes), row: UInt64(row), in: transaction)
        }
      }
      for (row, text) in texts.enumerated() {
        let found = try withBytes(text) { (bytes) throws(EmbeddingError) in
          try storage.row(of: RowKey(key: 42, bytes: bytes), in: transaction)
        }
        #expect(found == UInt64(row))
      }
    }
  }

  @Test func collidingIDsHaveRowsOfTheirOwnInTheCache() throws {
    let budget = CacheBudget(bytes: 1 << 20)
    let cache = RowCache(
      BlockLayout(dimension: 3, slotCount: 0), rowCount: 0, idType: .bytes, budget: budget)
    let texts = (0..<40).map { "colliding \($0)" }
    cache.shards[0].withRows { rows in
      for (i, text) in texts.enumerated() {
        let slot = withKey(text) { rows.insert($0, row: UInt64(i), RowCounts()) }
        rows.floats(slot)[0] = Float(i)
      }
      for (i, text) in texts.enumerated() where i % 3 == 0 {
        rows.remove(withKey(text) { rows.find($0) })
      }
      for (i, text) in texts.enumerated() {
        let slot = withKey(text) { rows.find($0) }
        #expect((slot >= 0) == (i % 3 != 0))
        if slot >= 0 { #expect(rows.floats(slot)[0] == Float(i)) }
        let byRow = rows.find(key: 7, row: UInt64(i))
        #expect(byRow == slot)
      }
    }
    cache.removeAll()
    #expect(budget.usedBytes == 0)
  }
}
