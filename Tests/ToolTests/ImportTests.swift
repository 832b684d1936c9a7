import Embeddings
import Foundation
import Testing

@Suite struct ImportTests {
  let bench = Workbench()

  @Test func createsWhatIsMissingToFitTheFile() throws {
    let run = try bench.succeed("import", "new.emb", Workbench.glove, "--create", "--json")
    let json = try run.json()
    #expect(json["table"] as? String == "glove.6B.50d")
    #expect(json["created"] as? Bool == true)
    #expect(json["inserted"] as? Int == 2446)
    let stat = try bench.succeed("stat", "new.emb", "--quick", "--json").json()
    let table = try #require((stat["tables"] as? [[String: Any]])?.first)
    let configuration = try #require(table["configuration"] as? [String: Any])
    #expect(configuration["dimension"] as? Int == 50)
    #expect(configuration["id_type"] as? String == "bytes")
  }

  @Test func refusesToCreateUnlessAsked() throws {
    try bench.fail(
      "import", "new.emb", Workbench.glove, status: 1, ["no database at new.emb", "--create"])
    #expect(bench.names.isEmpty)
  }

  @Test func leavesNothingBehindWhenTheFileIsBad() throws {
    try bench.write("a 1 2\nb 1\n", to: "bad.txt")
    try bench.fail("import", "new.emb", "bad.txt", "--create", status: 65, ["line 2"])
    try bench.fail("import", "new.emb", "no.txt", "--create", status: 1, ["does not exist"])
    #expect(bench.names == ["bad.txt"])
    try bench.write("a 1 2\n", to: "good.txt")
    try bench.succeed("import", "old.emb", "good.txt", "--create")
    try bench.fail(
      "import", "old.emb", "bad.txt", "--create", "--table", "other", status: 65, ["line 2"])
    let stat = try bench.succeed("stat", "old.emb", "--json").json()
    #expect((stat["tables"] as? [[String: Any]])?.map { $0["name"] as? String } == ["good"])
  }

  @Test func existingRowsAreReplacedKeptOrRefused() throws {
    try bench.write("a 1 1\nb 2 2\n", to: "one.txt")
    try bench.write("b 3 3\nc 4 4\nc 5 5\n", to: "two.txt")
    try bench.succeed("import", "x.emb", "one.txt", "--create")
    try bench.fail("import", "x.emb", "two.txt", "--existing", "refuse", status: 73, ["Id b"])
    let kept = try bench.succeed("import", "x.emb", "two.txt", "--existing", "keep", "--json")
      .json()
    #expect(kept["kept"] as? Int == 1)
    #expect(kept["inserted"] as? Int == 1)
    #expect(kept["duplicates"] as? Int == 1)
    #expect(try vector("b") == [2, 2])
    #expect(
      try bench.succeed("import", "x.emb", "two.txt", "--json").json()["replaced"] as? Int == 2)
    #expect(try vector("b") == [3, 3])
    #expect(try vector("c") == [4, 4])
  }

  @Test func aFileOfAnotherDimensionIsRefusedWithBothFigures() throws {
    try bench.makeWords()
    try bench.write("a 1 2\n", to: "two.txt")
    try bench.fail("import", "words.emb", "two.txt", status: 65, ["dimension 2", "50"])
  }

  @Test func vocabularyCountsBecomeFrequencies() throws {
    try bench.write("a 1 1\nb 2 2\n", to: "one.txt")
    try bench.write("b 7\na 3\n", to: "one.vocab")
    try bench.succeed("import", "x.emb", "one.txt", "--create", "--vocabulary", "one.vocab")
    let rows = try bench.succeed("dump", "x.emb", "--sort", "frequency", "--jsonl").jsonLines()
    #expect(rows.map { $0["id"] as? String } == ["b", "a"])
    #expect(rows.map { $0["frequency"] as? Int } == [7, 3])
  }

  @Test func standardInputIsImported() throws {
    try bench.succeed("create", "x.emb", "numbers", "--dimension", "2", "--id-type", "int64")
    let run = try bench.run("import", "x.emb", "-", "--format", "glove", input: "5 1 2\n-7 3 4\n")
    #expect(run.status == 0, "\(run.err)")
    #expect(try bench.succeed("get", "x.emb", "--", "-7").out.contains("3.0 4.0"))
    let refused = try bench.run("import", "y.emb", "-", "--create", input: "a 1\n")
    #expect(refused.status == 64)
    #expect(refused.err.contains("embstore create y.emb"))
    #expect(!bench.exists("y.emb"))
  }

  @Test func limitTakesTheFirstRows() throws {
    try bench.succeed("import", "x.emb", Workbench.glove, "--create", "--limit", "3")
    let rows = try bench.succeed("dump", "x.emb", "--jsonl").jsonLines()
    #expect(rows.map { $0["id"] as? String } == ["the", ",", "."])
  }

  private func vector(_ id: String) throws -> [Double]? {
    try bench.succeed("get", "x.emb", id, "--json").json()["vector"] as? [Double]
  }
}
