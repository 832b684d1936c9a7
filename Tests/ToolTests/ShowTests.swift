import Embeddings
import Foundation
import Testing

@Suite struct ShowTests {
  let bench = Workbench()

  @Test func createdTablesShowTheirConfiguration() throws {
    try bench.succeed(
      "create", "x.emb", "items", "--dimension", "8", "--id-type", "int64", "--optimizer", "adam",
      "--learning-rate", "0.01", "--beta1", "0.8", "--initializer", "normal:0,0.02", "--seed", "7")
    let database = try EmbeddingDatabase(at: bench.path("x.emb"), options: .readOnly)
    let expected = TableConfiguration(
      dimension: 8, idType: .int64, initializer: .normal(standardDeviation: 0.02), seed: 7,
      optimizer: Adam(learningRate: 0.01, beta1: 0.8))
    // A trainer opens it with the same values.
    _ = try database.table("items", expected)
    let text = try bench.succeed("stat", "x.emb").out
    #expect(text.contains("normal(mean = 0.0, standardDeviation = 0.02), seed 7"))
    #expect(text.contains("beta1 = 0.8"))
  }

  @Test func createTakesTheLifeOfAnIDFromOptionsAndAFile() throws {
    try bench.write(
      """
      # What ads have in common.
      dimension = 8
      id-type=int64

      admission = counting-bloom:3,1000,0.001
      cutoff = 7
      """, to: "ads.conf")
    try bench.succeed("create", "x.emb", "ads", "--config", "ads.conf", "--cutoff", "5")
    try bench.succeed(
      "create", "x.emb", "tail", "-d", "4", "--admission", "counter:2", "--shared-rows", "10",
      "--counting", "updates")
    let database = try EmbeddingDatabase(at: bench.path("x.emb"))
    var ads = TableConfiguration(dimension: 8, idType: .int64)
    ads.admission = .countingBloomFilter(
      threshold: 3, expectedIDs: 1000, falsePositiveRate: 0.001)
    ads.cutoff = 5
    let table = try database.table("ads", ads)
    var tail = TableConfiguration(dimension: 4)
    tail.admission = .counter(threshold: 2)
    tail.sharedRows = 10
    tail.counting = .updates
    _ = try database.table("tail", tail)
    for _ in 0..<3 {
      try table.update(
        [1, 2, 2], gradients: [[Float]](repeating: .init(repeating: 1, count: 8), count: 3), step: 1
      )
    }
    try database.commit(step: 1)
    try database.close()
    let stat = try bench.succeed("stat", "x.emb", "--table", "ads", "--json").json()
    let shown = try #require((stat["tables"] as? [[String: Any]])?.first)
    let life = try #require(shown["life"] as? [String: Any])
    #expect(shown["rows"] as? Int == 1 && life["seen"] as? Int == 2)
    #expect(life["admitted"] as? Int == 2 && life["on_probation"] as? Int == 1)
    #expect(life["promoted"] as? Int == 1 && life["forgotten"] as? Int == 0)
    let filter = try #require(life["filter"] as? [String: Any])
    #expect(filter["expected_ids"] as? Int == 1000 && filter["layers"] as? Int == 1)
    let text = try bench.succeed("stat", "x.emb", "--quick").out
    #expect(text.contains("cutoff 5") && text.contains("10 shared rows"))
  }

  @Test func createRefusesWhatMakesNoSense() throws {
    func fails(_ arguments: [String], _ text: String) throws {
      let process = bench.process(["create", "x.emb", "t"] + arguments)
      let pipe = Pipe()
      process.standardError = pipe
      try process.run()
      let error = String(
        decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
      process.waitUntilExit()
      #expect(process.terminationStatus == 64)
      #expect(error.hasPrefix("error: ") && error.contains(text), "\(error)")
      #expect(!bench.exists("x.emb"))
    }
    try fails(["--dimension", "0"], "1 to 8192")
    try fails(["--dimension", "many"], "many")
    try fails([], "--dimension")
    try fails(["--dimension", "4", "--optimizer", "sgd", "--epsilon", "1"], "sgd has no --epsilon")
    try fails(["--dimension", "4", "--learning-rate", "nan"], "nan")
    try fails(["--dimension", "4", "--admission", "counter"], "counter:5")
    try fails(["--dimension", "4", "--admission", "bloom:0"], "expectedIDs")
    try fails(["--dimension", "4", "--admission", "sieve:3"], "there are none")
    try bench.write("dimension: 4", to: "bad.conf")
    try fails(["--config", "bad.conf"], "bad.conf, line 1")
    try fails(["--dimension", "4", "--initializer", "uniform:3,1"], "must rise")
    try fails(["--dimension", "4", "--initializer", "uniform:3"], "uniform:-0.05,0.05")
    try fails(["--dimension", "4", "--initializer", "magic"], "truncated-normal")
    try fails(["--dimension", "4", "--id-type", "uuid"], "int64")
  }

  @Test func anExistingTableIsNotMadeAgain() throws {
    try bench.makeWords()
    try bench.fail(
      "create", "words.emb", "words", "--dimension", "50", status: 73, ["words", "already"])
  }

  @Test func statDrawsHistogramsAndCountsThemRight() throws {
    try bench.makeWords()
    let text = try bench.succeed("stat", "words.emb").out
    #expect(text.contains("rows         2,446"))
    #expect(text.contains("|####"))
    #expect(text.contains("frequency: least 0, mean 0.00, greatest 0\n"))
    let json = try bench.succeed("stat", "words.emb", "--json", "--bins", "5").json()
    let table = try #require((json["tables"] as? [[String: Any]])?.first)
    let norm = try #require(table["norm"] as? [String: Any])
    let bins = try #require(norm["histogram"] as? [[String: Any]])
    #expect(bins.count == 5)
    #expect(bins.compactMap { $0["rows"] as? Int }.reduce(0, +) == 2446)
    let storage = try #require(json["storage"] as? [String: Any])
    let pages = try #require(storage["used_pages"] as? Int)
    #expect(pages > 100)
    #expect(try bench.succeed("stat", "words.emb", "--quick").out.contains("####") == false)
  }

  @Test func getShowsVectorsExactly() throws {
    try bench.makeWords()
    let line = try bench.succeed("get", "words.emb", "king", "--json")
    let vector = try #require(line.json()["vector"] as? [Double])
    // The file is not all UTF-8.
    let file = try Data(contentsOf: URL(fileURLWithPath: Workbench.glove))
    let text = String(decoding: file, as: UTF8.self)
    let king = try #require(text.split(separator: "\n").first { $0.hasPrefix("king ") })
    #expect(vector.map { Float($0) } == king.split(separator: " ").dropFirst().map { Float($0)! })
  }

  @Test func getTellsAbsentIDsApart() throws {
    try bench.makeWords()
    let run = try bench.run("get", "words.emb", "king", "no-such-word", "--json")
    #expect(run.status == 1)
    #expect(try run.jsonLines().map { $0["found"] as? Bool } == [true, false])
    #expect(run.err == "error: Table words has no row for 'no-such-word'.\n")
  }

  @Test func dumpAlignsItsColumns() throws {
    try bench.write(
      "a 1 -2.5 3 4 5 6\nlonger\u{1B}[31m 1 2 3 4 5 6\n\u{4E2D}\u{6587} 1 2 3 4 5 6\n", to: "x.txt")
    try bench.succeed("import", "x.emb", "x.txt", "--create")
    #expect(
      try bench.succeed("dump", "x.emb", "--elements", "2").lines == [
        "row  id                frequency  last step    norm     [0]      [1]",
        "  0  a                         0          0  9.6566  1.0000  -2.5000  ...",
        "  1  longer\\u{1B}[31m          0          0  9.5394  1.0000   2.0000  ...",
        "  2  \u{4E2D}\u{6587}                      0          0  9.5394  1.0000   2.0000  ...",
      ])
    let plain = try bench.succeed("dump", "x.emb", "--no-vectors", "--limit", "1").out
    #expect(plain.split(separator: "\n").count == 2)
    #expect(!plain.contains("[0]"))
  }

  @Test func dumpGivesEveryRowOnce() throws {
    try bench.makeWords()
    let rows = try bench.succeed("dump", "words.emb", "--jsonl", "--no-vectors").jsonLines()
    #expect(rows.map { $0["row"] as? Int } == Array(0..<2446))
    // Strings that Unicode holds equal are different ids, as are bytes that are not UTF-8.
    let ids = rows.compactMap { ($0["id_hex"] ?? $0["id"]) as? String }
    #expect(Set(ids.map { Array($0.utf8) }).count == 2446)
    let sorted = try bench.succeed("dump", "words.emb", "--jsonl", "--sort", "frequency")
      .jsonLines()
    #expect(sorted.count == 2446)
    #expect((sorted[0]["vector"] as? [Double])?.count == 50)
    #expect(try bench.succeed("dump", "words.emb", "--limit", "0").lines.count == 1)
  }

  @Test func idsThatAreNotUTF8KeepTheirBytes() throws {
    try Data([0x61, 0xFF] + Array(" 1 2\n".utf8)).write(
      to: URL(fileURLWithPath: bench.path("x.txt")))
    try bench.succeed("import", "x.emb", "x.txt", "--create")
    let row = try bench.succeed("dump", "x.emb", "--jsonl").json()
    #expect(row["id_hex"] as? String == "61ff")
    #expect(row["id"] as? String == "a\u{FFFD}")
  }
}
