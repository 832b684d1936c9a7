import Glibc
import LMDB
import StorageBase
import TestSupport
import Testing

/// A key of the wrong kind is a programmer's mistake: each of these traps.
@Suite struct TrapTests {
  let directory = TemporaryDirectory()

  @Test func anIntegerKeyInADatabaseOfByteStringsTraps() async throws {
    await #expect(processExitsWith: .signal(SIGILL)) { [path = directory.path as String] in
      let environment = try open(path)
      let names = try environment.namedDatabase("names", integerKeys: false, create: true)!
      _ = try environment.value(1, in: names)
    }
  }

  @Test func aByteStringKeyInADatabaseOfIntegersTraps() async throws {
    await #expect(processExitsWith: .signal(SIGILL)) { [path = directory.path as String] in
      let environment = try open(path)
      let rows = try environment.rows()
      try environment.read { (transaction) throws(EmbeddingError) in
        try [UInt8](repeating: 1, count: 8).withBytes { (key) throws(EmbeddingError) in
          _ = try transaction.get(key, in: rows)
        }
      }
    }
  }

  @Test func anIntegerCursorOverByteStringsTraps() async throws {
    await #expect(processExitsWith: .signal(SIGILL)) { [path = directory.path as String] in
      let environment = try open(path)
      let names = try environment.namedDatabase("names", integerKeys: false, create: true)!
      try environment.read { (transaction) throws(EmbeddingError) in
        try transaction.withCursor(names) { (cursor) throws(EmbeddingError) in
          _ = try cursor.first()
        }
      }
    }
  }
}
