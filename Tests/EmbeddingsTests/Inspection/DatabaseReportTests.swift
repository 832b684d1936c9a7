import Embeddings
import Foundation
import TestSupport
import Testing

@Suite struct DatabaseReportTests {
  @Test func reportCountsRowsPagesAndWhatIsUncommitted() throws {
    let directory = TemporaryDirectory()
    let database = try openDatabase(directory.path)
    let words = try database.plainTable("words", 64, .bytes)
    _ = try database.plainTable("empty", 4, .int64)
    try words.assign((0..<1000).map { "w\($0)" }, vectors: (0..<1000).map { _ in row(64, 1) })
    try database.commit(step: 12)
    try words.assign(["new", "w3"], vectors: [row(64, 2), row(64, 3)])

    let report = try database.statistics()
    #expect(report.path == directory.path && report.formatVersion == 3)
    #expect(report.lastCommit == CommitPoint(step: 12))
    #expect(report.tables.map(\.name) == ["empty", "words"])
    #expect(report.tables[0].rows == 0 && report.tables[0].bytesOnDisk == 4096)
    let table = report.tables[1]
    #expect(table.rows == 1000 && table.uncommittedRows == 2 && table.cachedRows >= 2)
    #expect(table.configuration.dimension == 64)
    #expect(table.rowsPerBlock * (32 + 4 * 64) <= table.blockSize)
    #expect(table.blockBytes >= 1000 * (32 + 4 * 64) && table.idBytes >= 1000 * 20)
    #expect(table.cachedBytes > 0 && report.cachedBytes <= report.cacheBudget)
    #expect(report.uncommittedBytes > 0)

    let storage = report.storage
    #expect(storage.pageSize == 4096)
    // LMDB's own trees and two meta pages stand beside the tables' pages.
    let tablePages = report.tables.reduce(0) { $0 + $1.bytesOnDisk } / storage.pageSize
    #expect((tablePages + 3...tablePages + 12).contains(storage.usedPages))
    #expect(storage.fileSize >= storage.usedPages * storage.pageSize)
    #expect(storage.libraryVersion.contains("LMDB"))
    #expect(storage.oldestReaderLag == 0 && storage.maximumReaders > 0)
  }

  @Test func reportShowsTheReaderThatLagsBehind() throws {
    let directory = TemporaryDirectory()
    let database = try openDatabase(directory.path)
    let table = try database.plainTable("t", 2, .int64)
    try table.assign([1], vectors: [[1, 2]])
    try database.commit(step: 1)
    try database.read { (_) throws(EmbeddingError) in
      for step in 2...4 {
        try table.assign([Int64(step)], vectors: [[1, 2]])
        try database.commit(step: Int64(step))
      }
      let storage = try database.statistics().storage
      #expect(storage.oldestReaderLag == 3)
      #expect(storage.readers.contains { $0.process == getpid() && $0.lag == 3 })
    }
  }

  @Test func copiesHoldTheLastCommitAndNothingElse() throws {
    let directory = TemporaryDirectory()
    let database = try openDatabase(directory.path + "/db")
    let table = try database.plainTable("t", 8, .bytes)
    for step in 1...5 {
      try table.assign(
        (0..<500).map { "w\($0)" }, vectors: (0..<500).map { _ in row(8, Float(step)) })
      try database.commit(step: Int64(step))
    }
    let committed = try StoredRows(table)
    try table.assign(["w0"], vectors: [row(8, 99)])
    try database.backup(to: directory.path + "/backup")
    try database.compact(to: directory.path + "/compact")
    for name in ["backup", "compact"] {
      let copy = try openDatabase(directory.path + "/" + name)
      #expect(try copy.lastCommit == CommitPoint(step: 5))
      #expect(try StoredRows(copy.table("t")) == committed)
      #expect(try copy.verify().isIntact)
      let error = thrownError { try database.backup(to: directory.path + "/" + name) }
      #expect(error?.code == .alreadyExists)
      if name == "compact" {
        let report = try copy.statistics().storage
        #expect(report.freePages == 0)
        #expect(report.fileSize < (try database.statistics().storage.fileSize))
      }
    }
  }

  @Test func closedDatabaseReportsNothing() throws {
    let directory = TemporaryDirectory()
    let database = try openDatabase(directory.path)
    try database.close()
    #expect(thrownError { _ = try database.statistics() }?.code == .closed)
    #expect(thrownError { _ = try database.verify() }?.code == .closed)
    #expect(thrownError { try database.backup(to: directory.path + "/b") }?.code == .closed)
  }

  private func row(_ dimension: Int, _ value: Float) -> [Float] {
    Array(repeating: value, count: dimension)
  }
}
