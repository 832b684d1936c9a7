import Foundation
import StorageBase
import Testing

@testable import Exchange

@Suite struct TextFormatTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func rows(_ text: String, _ options: ReaderOptions = ReaderOptions()) throws -> Rows {
    try Rows(reading: folder.write(text), options)
  }

  private func refused(
    _ text: String, _ options: ReaderOptions = ReaderOptions(), _ parts: String...,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let path = try folder.write(text)
    let error = readError(path, options)
    #expect(error?.code == .malformedInput, "\(error as Any)", sourceLocation: sourceLocation)
    for part in ["file.txt"] + parts {
      #expect(
        error?.message.contains(part) == true, "\(error as Any)", sourceLocation: sourceLocation)
    }
  }

  @Test func lineEndsTabsAndTrailingSpacesDoNotMatter() throws {
    let plain = try rows("2 2\na 1 2\nb 3 4\n")
    for text in [
      "2 2\r\na 1 2\r\nb 3 4\r\n", "2 2\na\t1\t2\nb\t3\t4", "2 2 \na 1 2 \nb  3   4 \n\n\n",
    ] {
      #expect(try rows(text) == plain)
    }
  }

  /// The file is read in pieces; they may end anywhere, within a number too.
  @Test func piecesOfAnyLengthGiveTheSameRowsAndLineNumbers() throws {
    let good = "4 3\nking 0.12345678 -1.5 2e-3\r\n. . 1 2.25 -0.0\nqueen\t7.125 .5 1.\n\u{e9} 1 2 3"
    let bad = good.replacingOccurrences(of: "2e-3", with: "1.5 9").replacingOccurrences(
      of: "2.25", with: "2.2x")
    let expected = try rows(good)
    #expect(expected.ids == ["king", ". .", "queen", "\u{e9}"])
    func read(_ text: String, _ size: Int) throws -> Rows {
      let source = try ByteSource(path: try folder.write(text), bufferSize: size)
      let reader = try TextReader(
        source, format: .word2vecText, options: ReaderOptions(), vocabulary: nil)
      return try Rows(reading: reader, limit: size % 4 + 1)
    }
    for size in 16...good.utf8.count + 1 {
      #expect(try read(good, size) == expected)
      let error = #expect(throws: EmbeddingError.self) { try read(bad, size) }
      #expect(error?.message.contains("line 2") == true)
    }
  }

  @Test func wordsWithSpacesAreReadFromTheRight() throws {
    let read = try rows("3 2\n. . . 1 2\nat name@domain.com 3 4\n5 5 6\n")
    #expect(read.ids == [". . .", "at name@domain.com", "5"])
    #expect(try rows(". . 1 2\nb 3 4\n").ids == [". .", "b"])
  }

  @Test func headersThatLieAreRefused() throws {
    try refused("3 2\na 1 2\nb 3 4\n", ReaderOptions(format: .word2vecText), "3 rows", "2")
    try refused("1 2\na 1 2\nb 3 4\n", ReaderOptions(), "line 3", "more rows")
    try refused("2 3\na 1 2\nb 3 4\n", ReaderOptions(), "line 2", "3 values")
    try refused("9999999999999 2\na 1 2\n", ReaderOptions(), "line 1", "promises")
    try refused("9223372036854775807 1000000\na 1 2\n", ReaderOptions(), "line 1", "promises")
    try refused("2 0\na\nb\n", ReaderOptions(format: .word2vecText), "line 1", "dimension 0")
    try refused("1 99999999\na 1\n", ReaderOptions(format: .word2vecText), "line 1", "dimension")
    try refused("2 2\n", ReaderOptions(format: .word2vecText), "line 1")
  }

  @Test func dimensionThatChangesHalfWayIsRefusedWithItsLine() throws {
    try refused("a 1 2\nb 3 4 5\n", ReaderOptions(), "line 2", "2 values")
    try refused("a 1 2\nb 3\n", ReaderOptions(), "line 2", "2 values")
    try refused("2 2\na 1 2\nb 3 x\n", ReaderOptions(), "line 3")
    try refused("2 2\na 1 2\nb 3 1e\n", ReaderOptions(), "line 3")
    try refused("2 2\na 1 2\n3 4\n", ReaderOptions(), "line 3")
  }

  @Test func blankLinesBetweenRowsAndEmptyFilesAreRefused() throws {
    try refused("a 1 2\n\nb 3 4\n", ReaderOptions(), "line 2", "blank")
    try refused("", ReaderOptions(), "empty")
    for format in [ExchangeFormat.glove, .word2vecText, .fastText] {
      try refused("", ReaderOptions(format: format), "line 1", "empty")
    }
    try refused("\n\n", ReaderOptions(format: .glove), "line 1")
  }

  @Test func nonFiniteValuesAreRefusedUnlessAllowed() throws {
    for value in ["nan", "inf", "-Infinity", "1e39"] {
      try refused("a 1 2\nb 3 \(value)\n", ReaderOptions(format: .glove), "line 2", "non-finite")
      let read = try rows("a 1 2\nb 3 \(value)\n", ReaderOptions(allowsNonFinite: true))
      #expect(!Float(bitPattern: read.bits[3]).isFinite)
    }
  }

  @Test func integerIdsAreParsedOrRefused() throws {
    let read = try rows(
      "1 1 2\n-9223372036854775808 3 4\n", ReaderOptions(format: .glove, idType: .int64))
    #expect(read.ids == [1, .int64(.min)])
    for id in ["x", "1.0", "9223372036854775808", "-"] {
      try refused("\(id) 1 2\n", ReaderOptions(format: .glove, idType: .int64), "line 1", "integer")
    }
  }

  @Test func firstLineOfTwoIntegersIsTakenForAHeaderOnlyWhereTheSecondAgrees() throws {
    #expect(try ExchangeFormat.detect(path: folder.write("2 2\na 1 2\nb 3 4\n")) == .word2vecText)
    #expect(try ExchangeFormat.detect(path: folder.write("7 2\na 1\nb 3\n")) == .glove)
    #expect(try ExchangeFormat.detect(path: folder.write("0 2\n")) == .word2vecText)
    #expect(try ExchangeFormat.detect(path: folder.write("2 2\na 1 2\n", to: "x.vec")) == .fastText)
    #expect(try ExchangeFormat.detect(path: folder.write("a 1 2\n")) == .glove)
    #expect(
      try ExchangeFormat.detect(path: folder.write("1 2\na \0\0\0\0\0\0\0\0")) == .word2vecBinary)
    // A bad float does not turn text into binary.
    #expect(try ExchangeFormat.detect(path: folder.write("2 2\na 1 2x\nb 3 4\n")) == .word2vecText)
  }

  @Test func duplicateIdsAreHandedOnAsTheyStand() throws {
    #expect(try rows("a 1\nb 2\na 3\n").ids == ["a", "b", "a"])
  }

  @Test func binaryHeadersThatLieAreRefusedWithTheOffset() throws {
    let options = ReaderOptions(format: .word2vecBinary)
    try refused("2 1\na \0\0\0\0", options, "byte 0", "promises")
    try refused("1 1\na \0\0\0\0b", options, "byte 10", "more bytes")
    try refused("1 1\na\0\0\0\0\0", options, "byte 4", "cut short")
    try refused("1\n", options, "byte 0", "header")
    try refused("1 1\n \0\0\0\0\0\0", options, "byte 4", "empty")
    let nan: [UInt8] = Array("1 1\nab ".utf8) + [0, 0, 0xC0, 0x7F]
    expectRefused(try folder.write(nan, to: "nan.bin"), options, .malformedInput, "byte 7", "NaN")
  }

  @Test func malformedVocabulariesAreRefusedWithTheirLine() throws {
    let path = try folder.write("a 1\nb\n", to: "vocabulary")
    try refusedVocabulary(path, "vocabulary, line 2")
    try refusedVocabulary(folder.write("a -1\n", to: "vocabulary"), "vocabulary, line 1")
  }

  private func refusedVocabulary(_ path: String, _ part: String) throws {
    let rows = try folder.write("a 1\n")
    expectRefused(rows, ReaderOptions(vocabularyPath: path), .malformedInput, part)
  }

  @Test func missingFilesAndFoldersAreNamed() {
    expectRefused(folder.path("none"), ReaderOptions(), .notFound, "none")
    expectRefused(folder.path(""), ReaderOptions(), .io, "directory")
  }
}

@Suite struct ReaderOptionTests {
  @Test func optionsThatAFormatHasNoUseForAreRefused() throws {
    let folder = try TemporaryFolder()
    let text = try folder.write("a 1\n")
    expectRefused(text, ReaderOptions(idsPath: text), .invalidArgument, "ids of its own")
    expectRefused(text, ReaderOptions(tensorName: "x"), .invalidArgument, "no tensors")
    expectRefused(text, ReaderOptions(dimension: 0), .invalidArgument, "dimension 0")
    let rows = randomRows(1, dimension: 1, .int64)
    for (format, options) in [
      (ExchangeFormat.glove, WriterOptions(idsPath: folder.path("ids"))),
      (.npy, WriterOptions(vocabularyPath: folder.path("counts"))),
      (.safetensors, WriterOptions(tensorName: "ids")),
    ] {
      let error = #expect(throws: EmbeddingError.self) {
        try rows.write(to: folder.path("rows"), format, options)
      }
      #expect(error?.code == .invalidArgument)
    }
    #expect(folder.names == ["file.txt"])
  }

  @Test func vocabularyGivesFrequenciesToMatricesToo() throws {
    let options = ReaderOptions(
      idsPath: Fixtures.path("generated/words.txt"),
      vocabularyPath: Fixtures.path("generated/gensim.vocab"))
    let rows = try Rows(reading: Fixtures.path("generated/vectors.npy"), options)
    let expected: [UInt64] = (0..<23).map { 1000 - 3 * $0 }
    #expect(rows.frequencies == expected)
  }

  @Test func compressedSafetensorsAndByteOrderMarksAreRefusedWithTheRemedy() throws {
    let folder = try TemporaryFolder()
    let marked = try folder.write([0xEF, 0xBB, 0xBF] + Array("a 1\n".utf8), to: "bom.txt")
    expectRefused(marked, ReaderOptions(), .unsupportedFormat, "byte order mark")
    let compressed = ReaderOptions(format: .safetensors)
    let path = Fixtures.path("generated/gensim.txt.zst")
    expectRefused(path, compressed, .invalidArgument, "decompress")
  }

  @Test func linesLongerThanWhatDetectionSeesAreRead() throws {
    let folder = try TemporaryFolder()
    for format in [ExchangeFormat.glove, .word2vecText, .word2vecBinary] {
      let rows = randomRows(2, dimension: 30_000, .bytes)
      try rows.write(to: folder.path("rows"), format)
      #expect(try ExchangeFormat.detect(path: folder.path("rows")) == format)
      #expect(try Rows(reading: folder.path("rows")) == rows)
    }
  }
}
