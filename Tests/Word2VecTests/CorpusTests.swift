import Embeddings
import TestSupport
import Testing

@testable import word2vec

@Suite struct CorpusTests {
  let directory = TemporaryDirectory()

  /// All batches of a text: words, and the lengths of the sentences.
  private func batches(
    _ path: String, _ layout: CorpusLayout
  ) throws -> [(words: [String], ends: [Int])] {
    let reader = try CorpusReader(path: path, layout: layout)
    var batch = WordBatch()
    var all: [(words: [String], ends: [Int])] = []
    while try reader.next(&batch) {
      all.append(((0..<batch.count).map { "\(batch.words[$0])" }, batch.sentenceEnds))
    }
    return all
  }

  @Test func linesAreSentencesAndBatchesEndWithThem() throws {
    let path = write("a b\n\n  c\td \r\ne\nf g h", to: "text", in: directory)
    let found = try batches(path, CorpusLayout(batchWords: 3, sentenceWords: 100))
    #expect(found.map(\.words) == [["a", "b", "c", "d"], ["e", "f", "g", "h"]])
    #expect(found.map(\.ends) == [[2, 4], [1, 4]])
  }

  @Test func longLinesAreCutIntoSentences() throws {
    let path = write("a b c d e f g", to: "text", in: directory)
    let found = try batches(path, CorpusLayout(batchWords: 4, sentenceWords: 2))
    #expect(found.map(\.words) == [["a", "b", "c", "d"], ["e", "f", "g"]])
    #expect(found.map(\.ends) == [[2, 4], [2, 3]])
  }

  /// Words that a buffer's end falls into must come out whole.
  @Test func wordsAreWholeAcrossBuffers() throws {
    let words = (0..<60_000).map { "word\($0)" }
    let path = write(words.joined(separator: " "), to: "text", in: directory)
    let found = try batches(path, CorpusLayout(batchWords: 7_001, sentenceWords: 10_000))
    #expect(found.flatMap(\.words) == words)
    #expect(found.dropLast().allSatisfy { $0.words.count == 10_000 })
  }

  @Test func aWordWithoutEndIsRefused() throws {
    let path = write(String(repeating: "x", count: 100_000), to: "text", in: directory)
    let error = #expect(throws: EmbeddingError.self) { try batches(path, CorpusLayout()) }
    #expect(error?.code == .malformedInput)
  }

  @Test func aTextWithoutWordsIsRefused() throws {
    let path = write(" \n \n", to: "text", in: directory)
    let error = #expect(throws: EmbeddingError.self) {
      try CorpusSummary(of: path, layout: CorpusLayout())
    }
    #expect(error?.code == .malformedInput)
  }

  @Test func aQueueStartedAnywhereGoesOnAlike() throws {
    let layout = CorpusLayout(batchWords: 50, sentenceWords: 100)
    let path = write(makeText(words: 1000, vocabulary: 80, seed: 3), to: "text", in: directory)
    let summary = try CorpusSummary(of: path, layout: layout)
    #expect(summary.words == 1000)
    func all(from first: Int) throws -> [[Int32]] {
      var queue = try BatchQueue(
        path: path, layout: layout, summary: summary, epochs: 3, first: first)
      var found: [[Int32]] = []
      while let (number, batch) = try queue.take(below: .max) {
        #expect(number == first + found.count)
        found.append(batch.words.offsets + batch.words.bytes.map { Int32($0) })
      }
      return found
    }
    let whole = try all(from: 0)
    #expect(whole.count == 3 * summary.batches)
    for first in 0...whole.count {
      #expect(try all(from: first) == Array(whole.dropFirst(first)))
    }
  }

  @Test func anotherTextHasAnotherFingerprint() throws {
    let texts = ["a b c", "a b d", "a bc", "a\nb c"]
    let prints = try texts.enumerated().map { number, text in
      try CorpusSummary(of: write(text, to: "\(number)", in: directory), layout: CorpusLayout())
        .fingerprint
    }
    #expect(Set(prints).count == texts.count)
  }
}
