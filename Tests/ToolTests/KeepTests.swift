import Embeddings
import Foundation
import Testing

@Suite struct KeepTests {
  let bench = Workbench()

  @Test func deletedRowsAreGoneAndTheStepStays() throws {
    try train(step: 41)
    let json = try bench.succeed("delete", "x.emb", "a", "nosuch", "--json").json()
    #expect(json["asked"] as? Int == 2)
    #expect(json["deleted"] as? Int == 1)
    #expect(try bench.run("get", "x.emb", "a").status == 1)
    let stat = try bench.succeed("stat", "x.emb", "--json").json()
    #expect(stat["step"] as? Int == 41)
    #expect(stat["batches"] as? Int == 0)
    try bench.fail("delete", "x.emb", "a", status: 1, ["no row"])
    try bench.fail("delete", "x.emb", status: 64, ["--from-file"])
    try bench.succeed("verify", "x.emb")
  }

  @Test func idsToDeleteComeFromAFile() throws {
    try train(step: 1)
    try bench.write("a\n\nb\r\n", to: "ids.txt")
    #expect(
      try bench.succeed("delete", "x.emb", "--from-file", "ids.txt").out
        == "Deleted 2 rows of table t; it has 1 row.\n")
    let run = try bench.run("delete", "x.emb", "--from-file", "-", input: "c\n")
    #expect(run.out.contains("it has 0 rows"))
    try bench.fail("delete", "x.emb", "--from-file", "no.txt", status: 1, ["no.txt"])
  }

  @Test func integersAreAskedForWhereIDsAreIntegers() throws {
    try bench.succeed("create", "x.emb", "t", "--dimension", "2", "--id-type", "int64")
    for command in ["get", "delete", "similar"] {
      try bench.fail(command, "x.emb", "king", status: 64, ["'king'", "64-bit integers"])
    }
  }

  @Test func copiesAreWholeDatabases() throws {
    try bench.makeWords()
    let words = try bench.succeed("dump", "words.emb", "--jsonl").lines
      .compactMap { $0.split(separator: "\"").dropFirst(4).first }.prefix(1500)
    try bench.write(words.joined(separator: "\n"), to: "ids.txt")
    try bench.succeed("delete", "words.emb", "--from-file", "ids.txt")
    let before = try bench.succeed("dump", "words.emb", "--jsonl").out
    try bench.succeed("backup", "words.emb", "backup.emb")
    let compacted = try bench.succeed("compact", "words.emb", "small.emb", "--json").json()
    let sizes = ["bytes_before", "bytes_after"].compactMap { compacted[$0] as? Int }
    #expect(sizes[1] < sizes[0])
    for copy in ["backup.emb", "small.emb"] {
      #expect(try bench.succeed("dump", copy, "--jsonl").out == before)
      try bench.succeed("verify", copy)
      try bench.fail("backup", "words.emb", copy, status: 73, ["exists already"])
    }
  }

  @Test func verifyFindsAFlippedBit() throws {
    try bench.makeWords()
    #expect(try bench.succeed("verify", "words.emb", "--json").json()["intact"] as? Bool == true)
    let url = URL(fileURLWithPath: bench.path("words.emb/data.mdb"))
    var bytes = try Data(contentsOf: url)
    // The first two floats of "king".
    let king = [Float(0.50451), 0.68607].flatMap { withUnsafeBytes(of: $0.bitPattern, Array.init) }
    let place = try #require(bytes.range(of: Data(king)))
    bytes[place.lowerBound] ^= 4
    try bytes.write(to: url)
    let run = try bench.run("verify", "words.emb", "--json")
    #expect(run.status == 1)
    let json = try run.json()
    #expect(json["intact"] as? Bool == false)
    let problems = try #require(json["problems"] as? [[String: Any]])
    #expect(problems.contains { $0["kind"] as? String == "block" })
    let text = try bench.run("verify", "words.emb")
    #expect(text.out.contains("DAMAGED"))
    #expect(text.err == "")
    try bench.fail("dump", "words.emb", status: 1, ["words"])
  }

  /// A table `t` of a, b and c, trained to `step`.
  private func train(step: Int64) throws {
    let database = try EmbeddingDatabase(at: bench.path("x.emb"))
    let table = try database.table("t", TableConfiguration(dimension: 2))
    try table.update(["a", "b", "c"], gradients: [[1, 2], [3, 4], [5, 6]], step: step)
    try database.commit(step: step)
    try database.close()
  }
}
