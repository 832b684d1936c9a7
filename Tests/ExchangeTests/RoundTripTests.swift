import Exchange
import Foundation
import StorageBase
import Testing

@Suite struct RoundTripTests {
  @Test(arguments: ExchangeFormat.allCases, [IDType.int64, .bytes])
  func whatIsWrittenIsReadBackBitForBit(format: ExchangeFormat, type: IDType) throws {
    if format == .tfra, type == .bytes { return }
    let folder = try TemporaryFolder()
    for count in [0, 1, 4, 1000] {
      // Neither GloVe nor TFRA says what an empty file has for a dimension.
      if count == 0, format == .glove || format == .tfra { continue }
      let rows = randomRows(count, dimension: 9, type)
      let path = folder.path("rows-\(count)")
      try rows.write(to: path, format, type: type)
      var options = ReaderOptions(idType: type)
      if format == .npy { options.idsPath = path + (type == .int64 ? ".ids.npy" : ".ids.txt") }
      if format == .tfra { options.format = .tfra }
      #expect(try Rows(reading: path, options) == rows)
      #expect(try Rows(reading: path, options, limit: 10_000) == rows)
      options.format = format
      #expect(try Rows(reading: path, options, limit: 1) == rows)
    }
  }

  @Test func bothBinaryDialectsAreReadBack() throws {
    let folder = try TemporaryFolder()
    let rows = randomRows(50, dimension: 3, .bytes)
    for newline in [false, true] {
      let path = folder.path("rows.bin")
      try rows.write(to: path, .word2vecBinary, WriterOptions(newlineAfterRecord: newline))
      #expect(try ExchangeFormat.detect(path: path) == .word2vecBinary)
      #expect(try Rows(reading: path) == rows)
    }
  }

  @Test func vocabularyIsReadBack() throws {
    let folder = try TemporaryFolder()
    var rows = randomRows(50, dimension: 3, .bytes)
    rows.frequencies = (0..<50).map { UInt64($0 * $0) }
    for format in [ExchangeFormat.word2vecText, .word2vecBinary, .glove] {
      try rows.write(
        to: folder.path("rows"), format, WriterOptions(vocabularyPath: folder.path("vocabulary")))
      let options = ReaderOptions(format: format, vocabularyPath: folder.path("vocabulary"))
      #expect(try Rows(reading: folder.path("rows"), options) == rows)
    }
  }

  @Test func idsOfAnyBytesSurviveInSafetensors() throws {
    let folder = try TemporaryFolder()
    var rows = randomRows(3, dimension: 2, .bytes)
    rows.ids = [
      .bytes([0]), .bytes([0x20, 0x0A, 0xFF]), .bytes([UInt8](repeating: 7, count: 200_000)),
    ]
    try rows.write(to: folder.path("rows.safetensors"), .safetensors)
    #expect(try Rows(reading: folder.path("rows.safetensors")) == rows)
  }

  @Test(arguments: [ExchangeFormat.word2vecText, .word2vecBinary, .glove, .fastText, .npy])
  func idsThatAFormatCannotHoldAreRefused(format: ExchangeFormat) throws {
    let folder = try TemporaryFolder()
    var rows = randomRows(1, dimension: 2, .bytes)
    rows.ids = ["a\nb"]
    #expect { try rows.write(to: folder.path("rows"), format) } throws: {
      ($0 as? EmbeddingError)?.code == .invalidArgument
    }
    #expect(folder.names == [])
  }

  @Test func moreOrFewerRowsThanPromisedAreRefusedAndLeaveNoFile() throws {
    let folder = try TemporaryFolder()
    for format in ExchangeFormat.allCases {
      for promised in [1, 3] {
        do {
          let writer = try openRowWriter(
            path: folder.path("rows"), format: format, count: promised, dimension: 1, idType: .int64
          )
          var batch = RowBatch(idType: .int64, dimension: 1)
          batch.ids = IDColumn([1, 2])
          batch.vectors = [1, 2]
          #expect(throws: EmbeddingError.self) {
            try writer.write(batch)
            try writer.finish()
          }
        }
        #expect(folder.names == [])
      }
    }
  }

  /// Writes the fixtures' rows for `Tests/Scripts/check_exchange_exports.py`.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["EXCHANGE_EXPORTS"] != nil))
  func exportsForOtherLibrariesAreWritten() throws {
    let folder = URL(filePath: ProcessInfo.processInfo.environment["EXCHANGE_EXPORTS"]!)
    func path(_ name: String) -> String { folder.appending(path: name).path }
    let words = try Rows(ids: Fixtures.words(), bits: Fixtures.vectors(), dimension: 7)
    let ints = try Rows(ids: Fixtures.ids(), bits: Fixtures.vectors(), dimension: 7)
    try words.write(to: path("export.txt"), .word2vecText)
    try words.write(to: path("export.glove"), .glove)
    try words.write(to: path("export.bin"), .word2vecBinary)
    try words.write(
      to: path("export-newline.bin"), .word2vecBinary, WriterOptions(newlineAfterRecord: true))
    try ints.write(to: path("export.npy"), .npy)
    try words.write(to: path("words.npy"), .npy)
    try ints.write(to: path("ints.safetensors"), .safetensors)
    try words.write(to: path("words.safetensors"), .safetensors)
    try ints.write(to: path("tfra"), .tfra)
  }
}

/// Rows of finite floats of any bits, the same for the same count.
func randomRows(_ count: Int, dimension: Int, _ type: IDType) -> Rows {
  var state = UInt64(count * 31 + dimension)
  func next() -> UInt64 {
    state &+= golden
    return mix64(state)
  }
  let ids = (0..<count).map { row -> EmbeddingID in
    type == .int64
      ? .int64(Int64(bitPattern: next()))
      : .bytes(Array("w\(row)-".utf8) + [UInt8(truncatingIfNeeded: next()) | 0x80])
  }
  let bits = (0..<(count * dimension)).map { _ in
    let bits = UInt32(truncatingIfNeeded: next())
    return Float(bitPattern: bits).isFinite ? bits : bits & 0x007F_FFFF
  }
  return Rows(ids: ids, bits: bits, dimension: dimension)
}
