import Exchange
import Foundation
import StorageBase
import Testing

/// Files that were cut short, changed or made up: an error or other rows, never a crash.
@Suite struct DamageTests {
  static let cases: [(ExchangeFormat, IDType)] = ExchangeFormat.allCases.flatMap { format in
    format == .tfra ? [(format, .int64)] : [(format, IDType.int64), (format, .bytes)]
  }

  /// A small file of each format; the name of the file to damage, and the options to read it with.
  private func make(
    _ format: ExchangeFormat, _ type: IDType, in folder: TemporaryFolder
  ) throws -> (path: String, options: ReaderOptions) {
    let rows = randomRows(3, dimension: 2, type)
    let path = folder.path(format == .tfra ? "rows-keys" : "rows")
    try rows.write(to: path, format, type: type)
    var options = ReaderOptions(idType: type)
    if format == .npy { options.idsPath = path + (type == .int64 ? ".ids.npy" : ".ids.txt") }
    return (path, options)
  }

  private func read(_ path: String, _ options: ReaderOptions) {
    guard let error = readError(path, options) else { return }
    let codes: [EmbeddingError.Code] = [
      .malformedInput, .unsupportedFormat, .invalidArgument, .notFound,
    ]
    #expect(codes.contains(error.code), "\(error)")
  }

  @Test(arguments: cases)
  func everyTruncationIsReadOrRefused(format: ExchangeFormat, type: IDType) throws {
    let folder = try TemporaryFolder()
    let (path, options) = try make(format, type, in: folder)
    let whole = try Array(Data(contentsOf: URL(filePath: path)))
    let reference = try Rows(reading: path, options)
    var formats: [ExchangeFormat?] = [format]
    if format != .tfra { formats.append(nil) }
    for length in 0..<whole.count {
      try Data(whole[..<length]).write(to: URL(filePath: path))
      for named in formats {
        var options = options
        options.format = named
        read(path, options)
        let isBinary = [.word2vecBinary, .npy, .safetensors].contains(format)
        if isBinary, named != nil, let rows = try? Rows(reading: path, options) {
          // Binary formats know their length: nothing that is cut short is read.
          Issue.record("\(length) of \(whole.count) bytes gave \(rows.ids.count) rows")
        }
      }
    }
    try Data(whole).write(to: URL(filePath: path))
    #expect(try Rows(reading: path, options) == reference)
  }

  @Test(arguments: cases)
  func everyByteFlippedIsReadOrRefused(format: ExchangeFormat, type: IDType) throws {
    let folder = try TemporaryFolder()
    let (path, options) = try make(format, type, in: folder)
    let whole = try Array(Data(contentsOf: URL(filePath: path)))
    for index in whole.indices {
      for mask: UInt8 in [0x01, 0x10, 0x80, 0xFF] {
        var bytes = whole
        bytes[index] ^= mask
        try Data(bytes).write(to: URL(filePath: path))
        read(path, options)
        if mask == 0x10, format != .tfra {
          var named = options
          named.format = format
          read(path, named)
        }
      }
    }
  }

  @Test func randomBytesAreNoCrashInAnyFormat() throws {
    let folder = try TemporaryFolder()
    var state: UInt64 = 7
    func next() -> UInt64 {
      state &+= golden
      return mix64(state)
    }
    let alphabet = Array("0123456789 .-e\n\t{}[]\":,'()\u{0}<fF".utf8)
    for i in 0..<600 {
      let bytes = (0..<Int(next() % 200)).map { _ in
        i % 2 == 0
          ? UInt8(truncatingIfNeeded: next()) : alphabet[Int(next() % UInt64(alphabet.count))]
      }
      let path = try folder.write(bytes, to: "random")
      for format in [nil] + ExchangeFormat.allCases { read(path, ReaderOptions(format: format)) }
    }
  }

  @Test func damagedZstandardIsRefused() throws {
    let folder = try TemporaryFolder()
    let whole = try Fixtures.bytes("generated/gensim.txt.zst")
    for length in stride(from: 4, to: whole.count, by: 7) {
      let path = try folder.write(whole[..<length], to: "cut.zst")
      #expect(readError(path)?.code == .malformedInput)
    }
    for index in stride(from: 4, to: whole.count, by: 3) {
      var bytes = whole
      bytes[index] ^= 0x5A
      let path = try folder.write(bytes, to: "flipped.zst")
      #expect(readError(path) != nil, "byte \(index)")
    }
  }
}

/// Every call of file I/O fails once, in turn.
@Suite struct ExchangeFaultTests {
  @Test(arguments: DamageTests.cases)
  func everyFailedCallOfAnExportLeavesTheOldFile(format: ExchangeFormat, type: IDType) throws {
    let folder = try TemporaryFolder()
    let path = folder.path("rows")
    let options = WriterOptions(
      vocabularyPath: [.glove, .word2vecText].contains(format) ? folder.path("counts") : nil)
    let counting = FaultPlan()
    let old = randomRows(40, dimension: 3, type)
    try FileFaults.run(counting) { try old.write(to: path, format, options, type: type) }
    #expect(counting.calls > 4)
    let names = folder.names
    let new = randomRows(41, dimension: 3, type)
    for call in 0..<counting.calls {
      for errno: Int32 in [5, 28] {
        try old.write(to: path, format, options, type: type)
        let error = #expect(throws: EmbeddingError.self) {
          try FileFaults.run(FaultPlan(failingCall: call, errno: errno)) {
            try new.write(to: path, format, options, type: type)
          }
        }
        #expect(error?.code == (errno == 28 ? .diskFull : .io))
        #expect((error?.cause as? SystemErrno)?.rawValue == errno)
        #expect(error?.message.contains(folder.path("")) == true)
        #expect(folder.names == names, "temporary files were left after call \(call)")
      }
    }
  }

  @Test(arguments: DamageTests.cases)
  func everyFailedCallOfAnImportIsReported(format: ExchangeFormat, type: IDType) throws {
    let folder = try TemporaryFolder()
    let path = folder.path(format == .tfra ? "rows-keys" : "rows")
    let rows = randomRows(40, dimension: 3, type)
    try rows.write(to: path, format, type: type)
    var options = ReaderOptions(idType: type)
    if format == .npy { options.idsPath = path + (type == .int64 ? ".ids.npy" : ".ids.txt") }
    let counting = FaultPlan()
    #expect(try FileFaults.run(counting) { try Rows(reading: path, options) } == rows)
    for call in 0..<counting.calls {
      let error = #expect(throws: EmbeddingError.self) {
        try FileFaults.run(FaultPlan(failingCall: call)) { try Rows(reading: path, options) }
      }
      #expect(error?.code == .io)
      #expect(error?.message.contains(folder.path("")) == true)
    }
    // One byte a call is slow, and no error.
    let trickle = FaultPlan(maximumTransfer: 1)
    #expect(try FileFaults.run(trickle) { try Rows(reading: path, options) } == rows)
  }
}
