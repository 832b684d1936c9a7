import Glibc
import LMDB
import StorageBase
import TestSupport
import Testing

@testable import Embeddings

@Suite struct CompactionTests {
  let scratch = Scratch()

  /// A database of which most was evicted, and what it holds.
  private func makeSparse(commits: Int64 = 3) throws -> ReferenceTable {
    let database = try scratch.open()
    let table = try database.table("t", plain)
    var reference = ReferenceTable(plain)
    let ids = (0..<40_000).map { EmbeddingID.int64(Int64($0)) }
    let vectors = (0..<160_000).map { Float($0) }
    try table.assign(IDColumn(ids, type: .int64), vectors: vectors, step: 1)
    reference.assign(ids, vectors: vectors, step: 1)
    for step in 1...commits { try database.commit(step: step) }
    let rule = EvictionRule.normBelow(4 * 150_000 * 150_000 / 2)
    try table.evict(rule)
    _ = reference.evict(rule, step: commits)
    #expect(reference.rows.count > 1_000 && reference.rows.count < 5_000)
    try database.close()
    return reference
  }

  @Test(arguments: 1...4) func whatIsFreeGoesBackToTheFileSystem(commits: Int) throws {
    let reference = try makeSparse(commits: Int64(commits))
    let report = try EmbeddingDatabase.compact(at: scratch.path)
    #expect(report.bytesAfter * 3 < report.bytesBefore, "\(report)")
    let database = try scratch.open()
    let storage = try database.statistics().storage
    #expect(storage.fileSize == report.bytesAfter && storage.freePages == 0)
    let table = try database.table("t")
    #expect(try reference.difference(from: table) == nil)
    #expect(try database.verify().problems.isEmpty)
    #expect(try database.lastCommit.step == Int64(commits))
    // It is a database like any other.
    try table.set(0..<2_000, to: 3, step: 9)
    try database.commit(step: 9)
    #expect(try database.verify().problems.isEmpty)
    try database.close()
    // Again, where there is nothing to gain but what the last commits freed.
    try EmbeddingDatabase.compact(at: scratch.path)
    #expect(try scratch.open().table("t").count == reference.rows.count + 2_000)
  }

  @Test func transactionNumbersGoOn() throws {
    _ = try makeSparse()
    func last() throws -> UInt64 {
      let database = try EmbeddingDatabase(at: scratch.path, options: .readOnly)
      defer { try? database.close() }
      return try database.statistics().storage.lastTransaction
    }
    let before = try last()
    try EmbeddingDatabase.compact(at: scratch.path)
    #expect(try last() == before)
  }

  @Test func aDatabaseThatIsOpenIsRefused() throws {
    let reference = try makeSparse()
    for options in [EmbeddingDatabase.Options(), .readOnly] {
      let database = try EmbeddingDatabase(at: scratch.path, options: options)
      #expect(code { try EmbeddingDatabase.compact(at: scratch.path) } == .environmentInUse)
      #expect(try reference.difference(from: try database.table("t")) == nil)
      try database.close()
    }
    #expect(code { try EmbeddingDatabase.compact(at: scratch.path + "x") } == .notFound)
    #expect(access(scratch.path + "x", F_OK) != 0)
    try EmbeddingDatabase.compact(at: scratch.path)
  }

  @Test func whatACrashLeftIsRemovedByTheNextWriter() throws {
    let reference = try makeSparse()
    let left = Environment.compactedFile(in: scratch.path)
    let descriptor = Glibc.open(left, O_CREAT | O_WRONLY, 0o600)
    _ = write(descriptor, "half", 4)
    Glibc.close(descriptor)
    let database = try scratch.open()
    #expect(access(left, F_OK) != 0)
    #expect(try reference.difference(from: try database.table("t")) == nil)
  }

  @Test func theFileKeepsItsPermissions() throws {
    _ = try makeSparse()
    chmod(scratch.path + "/data.mdb", 0o640)
    try EmbeddingDatabase.compact(at: scratch.path)
    var status = Glibc.stat()
    #expect(stat(scratch.path + "/data.mdb", &status) == 0)
    #expect(status.st_mode & 0o777 == 0o640)
  }
}
