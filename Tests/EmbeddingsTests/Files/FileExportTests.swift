import Foundation
import TestSupport
import Testing

@testable import Embeddings

@Suite struct FileExportTests {
  let directory = TemporaryDirectory()
  let database: EmbeddingDatabase

  init() throws { database = try openDatabase(directory.path + "/db") }

  /// 500 words, most with a frequency of their own, some alike; `w<i>` has vector (i, 0.5 - i).
  private func counted() throws -> (table: EmbeddingTable, frequencies: [UInt64]) {
    let table = try database.plainTable("words", 2, .bytes)
    let frequencies = (0..<500).map { (i: Int) -> UInt64 in
      let base = UInt64(i * 7919 % 211)
      return i % 50 == 0 ? base << 20 : base
    }
    let lines = (0..<500).map { (i: Int) -> String in "w\(i) \(i) \(0.5 - Double(i))" }.joined(
      separator: "\n")
    let counts = (0..<500).map { (i: Int) -> String in "w\(i) \(frequencies[i])" }.joined(
      separator: "\n")
    try lines.write(toFile: directory.path + "/in.glove", atomically: false, encoding: .utf8)
    try counts.write(toFile: directory.path + "/in.vocab", atomically: false, encoding: .utf8)
    try table.importFile(
      directory.path + "/in.glove",
      FileImportOptions(format: .glove, vocabularyPath: directory.path + "/in.vocab"))
    return (table, frequencies)
  }

  @Test func frequencyOrderFallsAndBreaksTiesByRow() throws {
    let (table, frequencies) = try counted()
    let expected: [Int] = (0..<500).sorted { (i: Int, j: Int) -> Bool in
      frequencies[i] == frequencies[j] ? i < j : frequencies[i] > frequencies[j]
    }
    let vocabulary = directory.path + "/out.vocab"
    let path = directory.path + "/out.txt"
    try table.exportFile(path, FileExportOptions(order: .frequency, vocabularyPath: vocabulary))
    let lines = try String(contentsOfFile: vocabulary, encoding: .utf8).split(separator: "\n")
    #expect(lines.map(String.init) == expected.map { "w\($0) \(frequencies[$0])" })
    let rows = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    #expect(rows[0] == "500 2")
    let words = rows.dropFirst().map { String($0.prefix { $0 != " " }) }
    #expect(words == expected.map { "w\($0)" })
    // Back into a table in this order: the same vectors and frequencies under the same words.
    let copy = try database.plainTable("copy", 2, .bytes)
    try copy.importFile(path, FileImportOptions(vocabularyPath: vocabulary))
    let copied = try StoredRows(copy)
    #expect(copied.frequencies == expected.map { frequencies[$0] })
    #expect(
      copied.bits
        == expected.flatMap { (i: Int) -> [Float] in [Float(i), 0.5 - Float(i)] }.map(\.bitPattern))
  }

  @Test(arguments: [1, 7, 499, 500, 501])
  func frequencyOrderIsTheSameInBatchesOfAnySize(batchSize: Int) throws {
    let (table, frequencies) = try counted()
    var seen: [UInt64] = []
    var ids: [EmbeddingID] = []
    try CommittedTable(table).forEachBatchByFrequency(ofAtMost: batchSize) {
      (batch) throws(EmbeddingError) -> Bool in
      seen.append(contentsOf: batch.frequencies)
      for i in 0..<batch.count {
        ids.append(batch.ids[i])
        #expect(batch.ids[i].description == "w\(Int(batch.vectors[2 * i]))")
      }
      return batch.count <= batchSize
    }
    #expect(seen == frequencies.sorted(by: >))
    #expect(Set(ids).count == 500)
  }

  @Test func exportShowsTheLastCommitWhole() throws {
    let (table, _) = try counted()
    let path = directory.path + "/out.bin"
    try table.exportFile(path)
    let before = try Data(contentsOf: URL(filePath: path))
    try table.assign(["w1", "new"], vectors: [[9, 9], [8, 8]])
    #expect(try table.exportFile(path).rows == 500)
    #expect(try Data(contentsOf: URL(filePath: path)) == before)
    try database.commit(step: 3)
    let summary = try table.exportFile(path)
    #expect(
      summary == ExportSummary(rows: 501, format: .word2vecBinary, commit: CommitPoint(step: 3)))
  }

  @Test func whatAFormatCannotHoldLeavesNoFileBehind() throws {
    let table = try database.plainTable("words", 1, .bytes)
    try table.assign(["two words"], vectors: [[1]])
    try database.commit(step: 1)
    let path = directory.path + "/out.txt"
    let error = thrownError { try table.exportFile(path) }
    #expect(error?.code == .invalidArgument)
    #expect(error?.message.contains("two words") == true)
    #expect(
      thrownError { try table.exportFile(path, .init(format: .tfra)) }?.code == .invalidArgument)
    let vocabulary = FileExportOptions(format: .npy, vocabularyPath: path)
    #expect(thrownError { try table.exportFile(path, vocabulary) }?.code == .invalidArgument)
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["db"])
    #expect(try table.exportFile(directory.path + "/out.safetensors").rows == 1)
  }

  @Test func emptyTableIsAFileOfNoRows() throws {
    let table = try database.plainTable("empty", 5, .int64)
    for order in FileExportOptions.Order.allCases {
      let path = directory.path + "/out.safetensors"
      #expect(try table.exportFile(path, FileExportOptions(order: order)).rows == 0)
      #expect(try table.importFile(path) == ImportSummary())
    }
  }

  @Test func damagedBlockStopsTheExport() throws {
    let (table, _) = try counted()
    try damageBlock(0, of: table)
    for order in FileExportOptions.Order.allCases {
      let path = directory.path + "/out.bin"
      let error = thrownError { try table.exportFile(path, FileExportOptions(order: order)) }
      #expect(error?.code == .corruption)
      #expect(!FileManager.default.fileExists(atPath: path))
    }
  }
}
