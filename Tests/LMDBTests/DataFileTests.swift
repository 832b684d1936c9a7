import Glibc
import LMDB
import StorageBase
import TestSupport
import Testing

@Suite struct DataFileTests {
  let directory = TemporaryDirectory()
  var file: String { directory.path + "/data.mdb" }

  /// Makes a database, then changes its file.
  func damage(_ change: (UnsafeMutablePointer<FILE>) -> Void) throws {
    do {
      let environment = try open(directory.path)
      try environment.set(1, 1, count: 200_000, in: environment.rows())
    }
    let stream = fopen(file, "r+")!
    change(stream)
    fclose(stream)
  }

  func overwrite(_ bytes: [UInt8], at offsets: [Int]) throws {
    try damage { stream in
      for offset in offsets {
        fseek(stream, offset, SEEK_SET)
        fwrite(bytes, 1, bytes.count, stream)
      }
    }
  }

  func expectCorruption(_ words: String) {
    do throws(EmbeddingError) {
      _ = try open(directory.path)
      Issue.record("opened")
    } catch {
      #expect(error.code == .corruption)
      #expect(error.message.contains(words), "\(error.message)")
      #expect(error.message.contains("backup"))
    }
  }

  @Test func aTruncatedFileIsCorruption() throws {
    try damage { ftruncate(fileno($0), 100_000) }
    expectCorruption("truncated")
  }

  @Test func aFileThatLacksItsLastPageIsCorruption() throws {
    try damage { stream in
      var status = stat()
      fstat(fileno(stream), &status)
      ftruncate(fileno(stream), status.st_size - 1)
    }
    expectCorruption("truncated")
  }

  @Test(arguments: [1, 100, 4096, 4200]) func aFileThatEndsInItsMetaPagesIsCorruption(size: Int)
    throws
  {
    try damage { ftruncate(fileno($0), size) }
    expectCorruption("meta page")
  }

  @Test func aZeroPageSizeIsCorruption() throws {
    try overwrite([0, 0, 0, 0], at: [40, 4096 + 40])
    expectCorruption("page size of 0")
  }

  @Test func anOddPageSizeIsCorruption() throws {
    try overwrite([1, 16, 0, 0], at: [4096 + 40])
    expectCorruption("page size of 4097")
  }

  @Test func anotherVersionIsCorruption() throws {
    try overwrite([2, 0, 0, 0], at: [20, 4096 + 20])
    expectCorruption("version 2")
  }

  @Test func anAbsurdLastPageIsCorruption() throws {
    try overwrite([UInt8](repeating: 0xFF, count: 8), at: [136, 4096 + 136])
    expectCorruption("absurd")
  }

  @Test func garbageIsCorruption() throws {
    let stream = fopen(file, "w")!
    fputs(String(repeating: "this is no database. ", count: 1000), stream)
    fclose(stream)
    expectCorruption("magic")
  }

  @Test func anEmptyFileIsANewDatabaseUnlessReadOnly() throws {
    fclose(fopen(file, "w")!)
    #expect(
      code { () throws(EmbeddingError) in
        _ = try open(directory.path, isReadOnly: true)
      } == .notFound)
    let environment = try open(directory.path)
    try environment.set(1, 1, in: environment.rows())
  }

  @Test func aRefusedFileIsLeftAsItIs() throws {
    try damage { ftruncate(fileno($0), 100_000) }
    expectCorruption("truncated")
    var status = stat()
    stat(file, &status)
    #expect(status.st_size == 100_000)
  }

  /// Pages that are taken at the end of the file and given back in one transaction are never
  /// written: the file is shorter than its last page says, and whole.
  @Test func aShortFileWhoseMissingPagesAreFreeIsWhole() throws {
    var isShort = false
    do {
      let environment = try open(directory.path)
      let rows = try environment.rows()
      try environment.set(1, 1, count: 40_000, in: rows)
      for _ in 0..<3 { try environment.set(2, 2, count: 40_000, in: rows) }
      try environment.write { (transaction) throws(EmbeddingError) in
        try transaction.put(3, [UInt8](repeating: 3, count: 400_000), in: rows)
        try transaction.put(4, [UInt8](repeating: 4, count: 4_000_000), in: rows)
        try transaction.delete(4, in: rows)
      }
      let statistics = try environment.statistics()
      isShort = statistics.fileSize < (statistics.lastPage + 1) * statistics.pageSize
    }
    #expect(isShort, "this version of LMDB writes such pages: the test shows nothing")
    let environment = try open(directory.path)
    let rows = try environment.rows()
    #expect(try environment.value(3, in: rows)?.count == 400_000)
    try environment.set(5, 5, count: 8_000_000, in: rows)
    #expect(try environment.value(5, in: rows)?.last == 5)
  }
}
