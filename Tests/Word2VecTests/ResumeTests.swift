import Embeddings
import Glibc
import TestSupport
import Testing

@testable import word2vec

/// What a killed and resumed run must get right: exactly the vectors of an undisturbed one.
@Suite(.serialized) struct ResumeTests {
  let directory = TemporaryDirectory()

  @Test func aKilledRunResumesBitForBit() throws {
    try killAndCompare(["--commit-every", "5", "--dim", "20", "--batch-words", "200"])
  }

  @Test func aKilledRunResumesBitForBitWithAdagrad() throws {
    try killAndCompare([
      "--commit-every", "5", "--dim", "20", "--optimizer", "adagrad", "--batch-words", "150",
    ])
  }

  /// The cache is so small that the store commits by itself between the tool's own commits.
  @Test func aKilledRunResumesBitForBitAtCommitsOfTheStoresOwn() throws {
    try killAndCompare([
      "--commit-every", "1000", "--cache", "1", "--dim", "96", "--batch-words", "200",
    ])
  }

  @Test func aKilledRunResumesBitForBitWithoutACountingPass() throws {
    try killAndCompare([
      "--commit-every", "5", "--dim", "20", "--batch-words", "200", "--no-counting-pass",
    ])
  }

  private func killAndCompare(_ options: [String]) throws {
    var system = SystemRandomNumberGenerator()
    let seed = getenv("WORD2VEC_TEST_SEED").flatMap { UInt64(String(cString: $0)) } ?? system.next()
    print("WORD2VEC_TEST_SEED=\(seed)")
    var generator = Generator(state: seed)
    let text = write(
      makeText(words: 6000, vocabulary: 1500, seed: seed), to: "text", in: directory)
    let log = directory.path + "/log"
    func tool(_ database: String) -> Tool {
      Tool(
        arguments: [
          text, "\(directory.path)/\(database)", "--epochs", "2", "--pool", "1000", "--min-count",
          "2", "--no-sync",
        ] + options)
    }
    let clock = ContinuousClock()
    let duration = clock.measure {
      #expect(tool("undisturbed").run(log: log) == .exit(0))
    }
    var kills = 0
    var end = Tool.End.exit(1)
    while kills < 8 {
      let process = tool("disturbed").start(log: log)
      let microseconds = (0.1 + 0.6 * generator.unit()) * (duration / .microseconds(1))
      usleep(UInt32(microseconds))
      kill(process, SIGKILL)
      end = Tool.wait(process)
      if end != .signal(SIGKILL) { break }
      kills += 1
    }
    if end == .signal(SIGKILL) { end = tool("disturbed").run(log: log) }
    let messages = String(decoding: contents(log) ?? [], as: UTF8.self)
    try #require(end == .exit(0), "after \(kills) kills: \(messages)")
    print(
      "killed \(kills) times; commits found: \(messages.split(separator: "\n").filter { $0.hasPrefix("resuming") })"
    )
    let (one, other) = (try rows("undisturbed"), try rows("disturbed"))
    #expect(one.keys == other.keys)
    let differing = one.filter { other[$0.key] != $0.value }.keys.sorted()
    #expect(differing.isEmpty, "\(differing.count) of \(one.count) rows differ")
    #expect(one.count > 300)
  }

  /// All rows of both tables as bits, by table and word.
  private func rows(_ database: String) throws -> [String: [UInt64]] {
    let database = try EmbeddingDatabase(at: "\(directory.path)/\(database)", options: .readOnly)
    var rows: [String: [UInt64]] = [:]
    for name in try database.tableNames {
      try database.table(name).forEachBatch(ofAtMost: 100, includingSlots: true) {
        (batch) throws(EmbeddingError) in
        for i in 0..<batch.count {
          let vector = batch.vectors[i * batch.dimension..<(i + 1) * batch.dimension]
          let slots = batch.slots.dropFirst(i * batch.slotCount).prefix(batch.slotCount)
          rows["\(name) \(batch.ids[i])"] =
            vector.map { UInt64($0.bitPattern) } + slots.map { UInt64($0.bitPattern) }
            + [batch.frequencies[i], UInt64(bitPattern: batch.lastSteps[i])]
        }
        return true
      }
    }
    return rows
  }
}
