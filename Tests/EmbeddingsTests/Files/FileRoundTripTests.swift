import Embeddings
import Foundation
import TestSupport
import Testing

/// Files of other software, and what comes back of them.
@Suite struct FileRoundTripTests {
  @Test func everyFixtureSurvivesEveryFormatBitForBit() throws {
    let read = try roundTripAll(FileFixtures.files(FileFixtures.exchange))
    #expect(read >= 19)
  }

  @Test(
    .enabled(if: !FileFixtures.sharedFolders.isEmpty), arguments: FileFixtures.sharedFolders)
  func everyRealFileSurvivesEveryFormatBitForBit(folder: String) throws {
    #expect(try roundTripAll(FileFixtures.files(FileFixtures.shared.appending(path: folder))) > 0)
  }

  /// Imports each file that can be, and gives how many.
  private func roundTripAll(_ paths: [String]) throws -> Int {
    var count = 0
    for path in paths {
      let file: FileDescription
      do {
        file = try inspectFile(path)
      } catch { continue }
      let directory = TemporaryDirectory()
      let database = try openDatabase(directory.path + "/db")
      let table = try database.plainTable("original", file.dimension, file.idType)
      do {
        let summary = try table.importFile(path)
        if let declared = file.declaredCount {
          #expect(summary.inserted + summary.duplicates == declared)
        }
      } catch {
        // Damaged further down; nothing of it may have come in.
        #expect([.malformedInput, .unsupportedFormat].contains(error.code), "\(path): \(error)")
        #expect(try table.count == 0)
        continue
      }
      try roundTrip(table, of: path, in: directory.path)
      count += 1
    }
    return count
  }

  private func roundTrip(_ table: EmbeddingTable, of path: String, in directory: String) throws {
    let database = table.database
    let configuration = table.configuration
    let original = try StoredRows(table)
    #expect(original.ids.count == (try table.count))
    for format in FileFormat.allCases where format != .tfra || configuration.idType == .int64 {
      let file = directory + "/\(format)"
      let written: ExportSummary
      do {
        written = try table.exportFile(file, FileExportOptions(format: format))
      } catch {
        // Words with spaces or line ends fit into safetensors alone.
        #expect(error.code == .invalidArgument && format != .safetensors, "\(path): \(error)")
        #expect(!FileManager.default.fileExists(atPath: file))
        continue
      }
      #expect(written.rows == original.ids.count)
      if format == .glove && written.rows == 0 { continue }
      let copy = try database.plainTable(
        format.rawValue, configuration.dimension, configuration.idType)
      let ids = directory + "/npy.ids." + (configuration.idType == .int64 ? "npy" : "txt")
      let read = try copy.importFile(
        file,
        FileImportOptions(
          format: format, idsPath: format == .npy ? ids : nil,
          dimension: format == .glove ? configuration.dimension : nil))
      #expect(read.inserted == original.ids.count && read.duplicates == 0)
      let copied = try StoredRows(copy)
      #expect(copied.ids == original.ids, "\(path) by way of \(format)")
      #expect(copied.bits == original.bits, "\(path) by way of \(format)")
    }
  }

  @Test func int64TablesRoundTripThroughWordsAndPairs() throws {
    let directory = TemporaryDirectory()
    let database = try openDatabase(directory.path + "/db")
    let table = try database.plainTable("ids", 3, .int64)
    let ids: [Int64] = [7, -1, .min, .max, 0, 1 << 40]
    try table.assign(ids, vectors: ids.map { [Float($0), 0.1, -0.0] })
    try database.commit(step: 1)
    try roundTrip(table, of: "ids", in: directory.path)
  }

  @Test func everyFormatTellsItself() throws {
    let directory = TemporaryDirectory()
    let database = try openDatabase(directory.path + "/db")
    let table = try database.plainTable("words", 4, .bytes)
    try table.assign(["a", "b"], vectors: [[1, 2, 3, 4.5], [5, 6, 7, 8.25]])
    try database.commit(step: 1)
    for (name, format) in [
      ("x.txt", FileFormat.word2vecText), ("x.bin", .word2vecBinary), ("x.vec", .fastText),
      ("x.glove", .glove), ("x.npy", .npy), ("x.safetensors", .safetensors),
    ] {
      let path = directory.path + "/" + name
      #expect(try table.exportFile(path).format == format)
      #expect(try FileFormat.detect(path: path) == format)
      let file = try inspectFile(path)
      #expect(file.format == format && file.dimension == 4)
      #expect(file.declaredCount == (format == .glove ? nil : 2))
      #expect(file.idType == (format == .npy ? .int64 : .bytes))
    }
    let error = thrownError { try table.exportFile(directory.path + "/x") }
    #expect(error?.message.contains("safetensors") == true)
  }
}
