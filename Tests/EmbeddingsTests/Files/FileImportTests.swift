import Embeddings
import Foundation
import TestSupport
import Testing

@Suite struct FileImportTests {
  let directory = TemporaryDirectory()
  let database: EmbeddingDatabase
  let words = FileFixtures.path("generated/gensim.txt")

  init() throws { database = try openDatabase(directory.path + "/db") }

  @Test func vocabularyFileGivesFrequencies() throws {
    let table = try database.plainTable("words", 7, .bytes)
    let options = FileImportOptions(
      step: 9, vocabularyPath: FileFixtures.path("generated/gensim.vocab"))
    try table.importFile(words, options)
    let expected: [UInt64] = (0..<23).map { 1000 - 3 * $0 }
    #expect(try StoredRows(table).frequencies == expected)
    let first = try StoredRows(table).ids[0]
    let metadata = try table.metadata(of: first)
    #expect(metadata == RowMetadata(frequency: 1000, lastStep: 9, isPresent: true))
    #expect(try database.statistics().tables[0].totalFrequency == expected.reduce(0, +))
  }

  @Test func fileOfAnotherDimensionIsRefusedNamingBothAndTheFile() throws {
    let table = try database.plainTable("words", 8, .bytes)
    let error = thrownError { try table.importFile(words) }
    #expect(error?.code == .configurationMismatch)
    for part in ["gensim.txt", "dimension 7", "8"] {
      #expect(error?.message.contains(part) == true, "\(part)")
    }
    #expect(try table.count == 0)
  }

  @Test func fileOfAnotherIDTypeIsRefusedNamingBothAndTheFile() throws {
    let table = try database.plainTable("words", 7, .bytes)
    let path = FileFixtures.path("generated/ids.safetensors")
    let error = thrownError { try table.importFile(path) }
    #expect(error?.code == .configurationMismatch)
    for part in ["ids.safetensors", "int64", "bytes"] {
      #expect(error?.message.contains(part) == true, "\(part)")
    }
    let numbers = try database.plainTable("numbers", 7, .int64)
    let other = thrownError { try numbers.importFile(words) }
    #expect(other?.code == .malformedInput)
    #expect(other?.message.contains("64-bit integer") == true)
    #expect(try numbers.count == 0)
  }

  @Test func existingRowsAreReplacedKeptOrRefused() throws {
    let table = try database.plainTable("words", 7, .bytes)
    try table.importFile(words, FileImportOptions(maximumRows: 5))
    #expect(try table.count == 5)
    let original = try StoredRows(table)
    try table.assign(
      IDColumn(original.ids, type: .bytes), vectors: [Float](repeating: 1, count: 35))
    try database.commit(step: 1)
    let error = thrownError { try table.importFile(words, FileImportOptions(existing: .refuse)) }
    #expect(error?.code == .alreadyExists)
    #expect(try table.count == 5)
    let kept = try table.importFile(words, FileImportOptions(existing: .keep))
    #expect(kept.kept == 5 && kept.inserted == 18)
    #expect(
      try table.lookup(IDColumn([original.ids[0]], type: .bytes)) == Array(repeating: 1, count: 7))
    #expect(try table.importFile(words).replaced == 23)
    #expect(try Array(StoredRows(table).bits.prefix(35)) == original.bits)
  }

  @Test func progressRisesToTheWhole() throws {
    let table = try database.plainTable("words", 50, .bytes)
    var reports: [FileProgress] = []
    let path = FileFixtures.path("glove50/glove.6B.50d.txt")
    try table.importFile(path) { reports.append($0) }
    #expect(reports.last?.rows == 2446)
    #expect(reports.last?.bytes == reports.last?.totalBytes)
    let copy = directory.path + "/copy.bin"
    reports = []
    try table.exportFile(copy) { reports.append($0) }
    #expect(reports.map(\.rows) == reports.map(\.rows).sorted())
    #expect(reports.last == FileProgress(rows: 2446, totalRows: 2446))
  }

  @Test func importBeginsAnewWhereTheMapGrows() throws {
    let small = try openDatabase(directory.path + "/small", mapSize: 256 << 10)
    let table = try small.plainTable("words", 50, .bytes)
    let path = FileFixtures.path("glove50/glove.6B.50d.txt")
    #expect(try table.importFile(path).inserted == 2446)
    let roomy = try database.plainTable("words", 50, .bytes)
    try roomy.importFile(path)
    #expect(try StoredRows(table) == StoredRows(roomy))
  }

  @Test func streamCannotBeginAnewAndSaysSo() throws {
    let small = try openDatabase(directory.path + "/small", mapSize: 256 << 10)
    let table = try small.plainTable("words", 50, .bytes)
    let pipe = directory.path + "/pipe"
    #expect(mkfifo(pipe, 0o600) == 0)
    let source = FileFixtures.path("glove50/glove.6B.50d.txt")
    let content = try Data(contentsOf: URL(filePath: source))
    signal(SIGPIPE, SIG_IGN)
    let writer = Thread {
      let descriptor = open(pipe, O_WRONLY)
      content.withUnsafeBytes {
        var start = 0
        while start < $0.count {
          let count = write(descriptor, $0.baseAddress! + start, $0.count - start)
          if count <= 0 { break }
          start += count
        }
      }
      close(descriptor)
    }
    writer.start()
    let error = thrownError { try table.importFile(pipe) }
    #expect(error?.code == .mapFull)
    #expect(error?.message.contains("mapSize") == true)
    #expect(try table.count == 0)
  }

  @Test func standardInputIsNotLookedAt() {
    #expect(thrownError { _ = try inspectFile("-") }?.code == .invalidArgument)
    #expect(thrownError { _ = try FileFormat.detect(path: "-") }?.code == .invalidArgument)
  }

  @Test func storeInMemoryTakesInAndGivesOutTheSame() throws {
    let table = try database.plainTable("words", 7, .bytes)
    let store = try MemoryEmbeddingStore(table.configuration)
    let options = FileImportOptions(vocabularyPath: FileFixtures.path("generated/gensim.vocab"))
    #expect(try table.importFile(words, options) == store.importFile(words, options))
    #expect(try StoredRows(table) == StoredRows(store))
    for order in FileExportOptions.Order.allCases {
      let (a, b) = (directory.path + "/a.bin", directory.path + "/b.bin")
      try table.exportFile(a, FileExportOptions(order: order))
      try store.exportFile(b, FileExportOptions(order: order))
      #expect(FileManager.default.contentsEqual(atPath: a, andPath: b))
    }
  }
}
