import Foundation
import Testing

@Suite struct ExportTests {
  let bench = Workbench()

  @Test(arguments: ["out.txt", "out.bin", "out.vec", "out.glove", "out.npy", "out.safetensors"])
  func everyFormatComesBackBitForBit(name: String) throws {
    try bench.makeWords()
    let run = try bench.succeed("export", "words.emb", name, "--json")
    #expect(try run.json()["rows"] as? Int == 2446)
    var arguments = ["import", "back.emb", name, "--create", "--table", "words"]
    if name.hasSuffix("npy") { arguments += ["--ids", "out.ids.txt"] }
    let back = bench.process(arguments)
    back.standardOutput = FileHandle.nullDevice
    try back.run()
    back.waitUntilExit()
    #expect(back.terminationStatus == 0)
    let before = try bench.succeed("dump", "words.emb", "--jsonl").out
    #expect(try bench.succeed("dump", "back.emb", "--jsonl").out == before)
  }

  @Test func standardOutputIsAFileLikeAnother() throws {
    try bench.makeWords()
    try bench.succeed("export", "words.emb", "out.glove")
    let run = try bench.run("export", "words.emb", "-", "--format", "glove")
    #expect(run.status == 0)
    #expect(try run.out == bench.read("out.glove"))
    #expect(run.err.contains("2,446 rows"))
    #expect(try bench.run("export", "words.emb", "-", "--format", "glove", "--quiet").err == "")
    try bench.fail("export", "words.emb", "-", status: 64, ["--format", "glove"])
  }

  @Test func frequencyOrderAndVocabulary() throws {
    try bench.write("a 1 1\nb 2 2\nc 3 3\n", to: "x.txt")
    try bench.write("a 1\nb 5\nc 3\n", to: "x.vocab")
    try bench.succeed("import", "x.emb", "x.txt", "--create", "--vocabulary", "x.vocab")
    try bench.succeed(
      "export", "x.emb", "y.txt", "--order", "frequency", "--vocabulary", "y.vocab")
    #expect(try bench.read("y.vocab") == "b 5\nc 3\na 1\n")
    #expect(try bench.read("y.txt").hasPrefix("3 2\nb "))
  }

  @Test func aNameThatTellsNoFormatIsRefused() throws {
    try bench.makeWords()
    try bench.fail("export", "words.emb", "out.xyz", status: 64, ["out.xyz", "word2vec-text"])
    #expect(bench.names == ["words.emb"])
  }
}
