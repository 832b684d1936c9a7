import Glibc
import LMDB
import StorageBase
import TestSupport
import Testing

/// Uses `environment` in every way; gives the number of the first that is not refused, 0 for none.
private func refusals(_ environment: Environment, _ rows: NamedDatabase) -> Int32 {
  let codes = [
    code { () throws(EmbeddingError) in _ = try environment.value(1, in: rows) },
    code { () throws(EmbeddingError) in try environment.set(1, 2, in: rows) },
    code { () throws(EmbeddingError) in _ = try environment.beginRead() },
    code { () throws(EmbeddingError) in _ = try environment.statistics() },
    code { () throws(EmbeddingError) in try environment.close() },
  ]
  return Int32((codes.firstIndex { $0 != .forked } ?? -1) + 1)
}

@Suite struct ProcessTests {
  let directory = TemporaryDirectory()

  @Test func aForkedChildIsRefusedAndItsParentUnharmed() async {
    await #expect(processExitsWith: .success) { [path = directory.path as String] in
      let environment = try open(path)
      let rows = try environment.rows()
      try environment.set(1, 1, in: rows)
      let owned = try environment.beginRead()
      let status = forked { refusals(environment, rows) }
      #expect(status == 0)
      // The reader's slot is still its own: what it pins is not overwritten.
      for round in 0..<20 { try environment.set(1, UInt8(round), in: rows) }
      #expect(try owned.get(1, in: rows)?.first == 1)
      #expect(try environment.readers().contains { $0.transactionID == owned.id })
    }
  }

  @Test func aKilledReaderIsClearedAndItsPagesAreUsedAgain() async throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    try environment.set(1, 1, count: 400_000, in: rows)
    try await killReader()
    #expect(try environment.readers().count { $0.process != getpid() } == 1)
    #expect(try environment.clearStaleReaders() == 1)
    try await killReader()
    // Without being asked: writes look for stale readers now and then.
    for round in 0..<300 { try environment.set(1, UInt8(round & 0xFF), count: 400_000, in: rows) }
    #expect(try environment.readers().allSatisfy { $0.process == getpid() })
    let pages = try environment.statistics().fileSize / 4096
    #expect(pages < 100 * 70, "300 overwrites of 98 pages took the file to \(pages) pages")
  }

  @Test func aKilledReaderIsClearedAtOpen() async throws {
    try open(directory.path).close()
    try await killReader()
    let environment = try open(directory.path)
    #expect(try environment.readers().isEmpty)
  }

  @Test func aKilledReadersSlotIsTakenWhenNoneIsLeft() async throws {
    let environment = try open(directory.path, maxReaders: 1)
    try await killReader()
    #expect(try environment.readers().count == 1)
    _ = try environment.beginRead()
  }

  @Test func aKilledWriterLosesOnlyItsOwnTransaction() async throws {
    let environment = try open(directory.path)
    let rows = try environment.rows()
    try environment.set(1, 1, in: rows)
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = directory.path as String] in
      let environment = try open(path)
      let rows = try environment.rows()
      try environment.write { (transaction) throws(EmbeddingError) in
        try transaction.put(1, [UInt8](repeating: 9, count: 1 << 20), in: rows)
        kill(getpid(), SIGKILL)
      }
    }
    #expect(try environment.value(1, in: rows)?.first == 1)
    try environment.set(1, 2, in: rows)
    #expect(try environment.value(1, in: rows)?.first == 2)
  }

  /// Lets a process begin a read transaction and die of it.
  private func killReader() async throws {
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = directory.path as String] in
      let environment = try open(path)
      let transaction = try environment.beginRead()
      kill(getpid(), SIGKILL)
      _ = transaction.id
    }
  }
}
