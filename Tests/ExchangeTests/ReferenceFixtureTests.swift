import Exchange
import Foundation
import StorageBase
import Testing

/// Files that gensim, numpy and safetensors wrote, and files of other projects.
@Suite struct ReferenceFixtureTests {
  @Test(arguments: [
    ("gensim.txt", ExchangeFormat.word2vecText), ("gensim.bin", .word2vecBinary),
    ("gensim.glove", .glove), ("gensim.txt.zst", .word2vecText),
    ("words.safetensors", .safetensors),
  ])
  func filesOfWordsAreReadBitForBit(name: String, format: ExchangeFormat) throws {
    let path = Fixtures.path("generated/\(name)")
    #expect(try ExchangeFormat.detect(path: path) == format)
    let rows = try Rows(reading: path)
    #expect(rows.ids == (try Fixtures.words()))
    #expect(rows.bits == (try Fixtures.vectors()))
  }

  @Test func vocabularyFileGivesFrequencies() throws {
    for name in ["gensim.txt", "gensim.bin"] {
      let options = ReaderOptions(vocabularyPath: Fixtures.path("generated/gensim.vocab"))
      let rows = try Rows(reading: Fixtures.path("generated/\(name)"), options)
      let expected: [UInt64] = (0..<23).map { 1000 - 3 * $0 }
      #expect(rows.frequencies == expected)
    }
  }

  @Test func npyIsReadWithIdsOfItsOwnOrRowNumbers() throws {
    let path = Fixtures.path("generated/vectors.npy")
    let numbered = try Rows(reading: path)
    let numbers: [EmbeddingID] = (0..<23).map { .int64($0) }
    #expect(numbered.ids == numbers)
    #expect(numbered.bits == (try Fixtures.vectors()))
    let ids = try Rows(reading: path, ReaderOptions(idsPath: Fixtures.path("generated/ids.npy")))
    #expect(ids.ids == (try Fixtures.ids()))
    let words = try Rows(
      reading: path, ReaderOptions(idsPath: Fixtures.path("generated/words.txt")))
    #expect(words.ids == (try Fixtures.words()))
  }

  @Test func safetensorsIdsComeFromTheirTensor() throws {
    let rows = try Rows(reading: Fixtures.path("generated/ids.safetensors"))
    #expect(rows.ids == (try Fixtures.ids()))
    #expect(rows.bits == (try Fixtures.vectors()))
    let plain = try Rows(reading: Fixtures.path("generated/one.safetensors"))
    let numbers: [EmbeddingID] = (0..<23).map { .int64($0) }
    #expect(plain.ids == numbers)
    #expect(plain.bits == (try Fixtures.vectors()))
  }

  @Test func tensorIsChosenByNameWhereThereAreTwo() throws {
    let path = Fixtures.path("generated/two.safetensors")
    expectRefused(path, ReaderOptions(), .invalidArgument, "'a' F32 [23, 7]", "'b' F32 [23, 2]")
    expectRefused(path, ReaderOptions(tensorName: "c"), .notFound, "'c'")
    #expect(try Rows(reading: path, ReaderOptions(tensorName: "a")).bits == Fixtures.vectors())
    #expect(try Rows(reading: path, ReaderOptions(tensorName: "b")).dimension == 2)
  }

  @Test func halfAndDoublePrecisionAreConverted() throws {
    let halves = try Rows(reading: Fixtures.path("generated/vectors-f16.npy"))
    let doubles = try Rows(reading: Fixtures.path("generated/vectors-f64.npy"))
    for i in 0..<161 {
      let value: Double = -4 + Double(i) * (8.0 / 160)
      let half = Double(Float(bitPattern: halves.bits[i]))
      #expect(doubles.bits[i] == Float(value).bitPattern || abs(value) < 1e-9)
      #expect(abs(half - value) < 2e-3)
    }
  }

  @Test(arguments: [
    ("generated/fortran.npy", "ascontiguousarray"), ("generated/big-endian.npy", "big-endian"),
    ("generated/objects.npy", "pickled"), ("generated/vectors.npz", "numpy.load"),
    ("generated/int8.safetensors", "quantized"), ("finalfusion/similarity.fifu", "finalfusion"),
    ("finalfusion/fasttext.bin", ".vec"), ("finalfusion/quantized_storage.bin", "no format"),
  ])
  func whatIsNotReadIsRefusedWithTheRemedy(name: String, remedy: String) {
    expectRefused(Fixtures.path(name), ReaderOptions(), .unsupportedFormat, remedy)
  }

  @Test func finalfusionsFilesOfTheSameVectorsAgree() throws {
    let text = try Rows(reading: Fixtures.path("finalfusion/similarity.txt"))
    let bare = try Rows(reading: Fixtures.path("finalfusion/similarity.nodims"))
    let binary = try Rows(reading: Fixtures.path("finalfusion/similarity.bin"))
    #expect(text == bare)
    #expect(text.ids == binary.ids)
    #expect(text.ids.count == 41 && text.dimension == 100)
    // The binary was normalized with other software: equal to the precision of the text.
    #expect(try Rows(reading: Fixtures.path("finalfusion/analogy.bin")).ids.count == 43)
    for (a, b) in zip(text.bits, binary.bits) {
      let difference = Float(bitPattern: a) - Float(bitPattern: b)
      #expect(difference.magnitude <= 1e-5)
    }
  }

  @Test(arguments: ["utf8-incomplete.bin", "utf8-incomplete.dims", "utf8-incomplete.txt"])
  func invalidUTF8IsKeptBitForBitOrRefusedWhenAsked(name: String) throws {
    let path = Fixtures.path("finalfusion/\(name)")
    let rows = try Rows(reading: path)
    let invalid: UInt8 = name.hasSuffix("bin") ? 0xBF : 0xC3
    let word: [UInt8] = [0x7A, 0x65, 0x65, invalid, 0x6E]
    #expect(rows.ids[1] == .bytes(word))
    expectRefused(path, ReaderOptions(requiresUTF8: true), .malformedInput, "UTF-8")
  }

  @Test func gloveSliceWithWordsInAnotherEncodingIsRead() throws {
    let rows = try Rows(reading: Fixtures.path("glove50/glove.6B.50d.txt"), limit: 1000)
    #expect(rows.ids.count == 2446 && rows.dimension == 50)
    #expect(rows.ids[0] == "the")
    #expect(Float(bitPattern: rows.bits[0]) == 0.418)
    #expect(Set(rows.ids).count == 2446)
  }
}

/// Every file of the folders of real data beside the package, where they are there.
@Suite(.enabled(if: FileManager.default.fileExists(atPath: SharedData.root)))
struct SharedDataTests {
  @Test(arguments: [
    "emb-finalfusion", "emb-glove50-slice", "emb-gensim", "npy-npyz", "ckpt-model2vec-safetensors",
    "ckpt-ncf-ml1m",
  ])
  func everySharedFileIsReadOrRefusedWithAClearReason(folder: String) throws {
    let url = URL(filePath: SharedData.root).appending(path: folder)
    for file in try FileManager.default.contentsOfDirectory(atPath: url.path).sorted() {
      let path = url.appending(path: file).path
      var options = ReaderOptions()
      if file == "vocab-quantized.safetensors" { options.tensorName = "embeddings" }
      let error = readError(path, options)
      if let error {
        #expect([.malformedInput, .unsupportedFormat].contains(error.code), "\(error)")
        #expect(error.message.contains(file))
        if error.code == .malformedInput {
          #expect(
            error.message.contains(", line ") || error.message.contains(", byte "), "\(error)")
        }
      }
      #expect((error == nil) == SharedData.isReadable(file), "\(file): \(error?.message ?? "read")")
    }
  }
}

enum SharedData {
  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../../shared/data").standardizedFileURL.path

  static func isReadable(_ file: String) -> Bool {
    let unreadable: Set = [
      "int8.safetensors", "fasttext.bin", "quantized_storage.bin", "fb-ngrams.txt",
      "crime-and-punishment.bin", "non_ascii_fasttext.bin", "toy-model.bin",
      "toy-model-pretrained.bin", "tokenizer.json",
    ]
    if unreadable.contains(file) || file.contains("lee_") && file.hasSuffix(".bin") { return false }
    if file.hasSuffix(".npy") { return file.hasPrefix("ml-1m") }
    return ![".fifu", ".npz", ".h5", ".upstream", "PROVENANCE.txt"].contains { file.hasSuffix($0) }
  }
}
