import Embeddings
import TestSupport
import Testing

@testable import word2vec

/// What the tool refuses rather than going on with vectors of nobody's parameters.
@Suite(.serialized) struct RefusalTests {
  let directory = TemporaryDirectory()
  var log: String { directory.path + "/log" }

  private func tool(_ options: [String] = [], text: String? = nil) -> Tool {
    let path = write(
      text ?? makeText(words: 600, vocabulary: 60, seed: 1), to: "text", in: directory)
    return Tool(
      arguments: [
        path, directory.path + "/model", "--dim", "8", "--batch-words", "50", "--epochs", "1",
        "--min-count", "1", "--pool", "100", "--no-sync",
      ] + options)
  }

  private var messages: String { String(decoding: contents(log) ?? [], as: UTF8.self) }

  @Test func otherParametersAreRefusedAndNamed() {
    #expect(tool().run(log: log) == .exit(0))
    #expect(tool(["--window", "3"]).run(log: log) == .exit(1))
    #expect(messages.contains("with window 5, not 3"))
    #expect(tool(["--seed", "3"]).run(log: log) == .exit(1))
    #expect(messages.contains("with seed 1, not 3"))
  }

  @Test func anotherTextIsRefused() {
    #expect(tool().run(log: log) == .exit(0))
    #expect(tool(text: "another text\n").run(log: log) == .exit(1))
    #expect(messages.contains("corpus-words 600, not 2"))
  }

  @Test func aDatabaseOfAnotherMakerIsRefused() throws {
    try EmbeddingDatabase(at: directory.path + "/model").table(
      "rows", TableConfiguration(dimension: 2)
    )
    .database.close()
    #expect(tool().run(log: log) == .exit(1))
    #expect(messages.contains("it was not made by this tool"))
  }

  @Test func aTextOfRareWordsOnlyIsRefused() {
    #expect(tool(["--min-count", "100000"]).run(log: log) == .exit(1))
    #expect(messages.contains("Lower --min-count"))
  }

  /// A commit of the store's own may hold one of a step's two updates; that cannot be repaired.
  @Test func aPartOfAStepIsRefusedUnlessAccepted() throws {
    let options = ["--commit-every", "3"]
    #expect(tool(options).run(log: log) == .exit(0))
    let database = try EmbeddingDatabase(at: directory.path + "/model")
    let words = try database.table("words")
    let step = try database.lastCommit.step
    try words.update(
      IDColumn(["w1"]), gradients: [Float](repeating: 0.1, count: 8), step: step + 1)
    // An import commits what stands before it, at whatever point that is.
    _ = try words.importRows(ImportOptions()) { { _, _ in false } }
    #expect(try database.lastCommit == CommitPoint(step: step, batches: 1))
    try database.close()
    #expect(tool(options).run(log: log) == .exit(1))
    #expect(messages.contains("--accept-partial-step"))
    #expect(tool(options + ["--accept-partial-step"]).run(log: log) == .exit(0))
  }

  @Test func afterTheLastStepTheVectorsAreExportedAgain() throws {
    let (first, second) = (directory.path + "/first", directory.path + "/second")
    #expect(tool(["--export", first]).run(log: log) == .exit(0))
    #expect(tool(["--export", second]).run(log: log) == .exit(0))
    let bytes = try #require(contents(first))
    #expect(bytes == contents(second))
    let lines = bytes.split(separator: 0x0A)
    let count = try #require(lines.first.map { String(decoding: $0, as: UTF8.self) })
    #expect(count == "\(lines.count - 1) 8")
    #expect(lines.dropFirst().allSatisfy { $0.split(separator: 0x20).count == 9 })
  }

  @Test func twoThreadsTrainEverything() throws {
    #expect(
      tool(["--threads", "2", "--export", directory.path + "/out"]).run(log: log) == .exit(0))
    let database = try EmbeddingDatabase(at: directory.path + "/model", options: .readOnly)
    let summary = try CorpusSummary(
      of: directory.path + "/text", layout: CorpusLayout(batchWords: 50, sentenceWords: 10_000))
    #expect(try database.lastCommit == CommitPoint(step: Schedule.pruned + Int64(summary.batches)))
  }
}
