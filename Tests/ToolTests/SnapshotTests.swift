import Embeddings
import Foundation
import TestSupport
import Testing

@Suite struct SnapshotTests {
  let bench = Workbench()

  /// A table of `count` ids trained to `step`, in `x.emb`.
  private func train(_ name: String = "x.emb", step: Int64 = 41, count: Int64 = 300) throws {
    let database = try EmbeddingDatabase(at: bench.path(name))
    let table = try database.table(
      "items", TableConfiguration(dimension: 8, idType: .int64, seed: 7, optimizer: .adam()))
    try update(table, steps: 1...step, count: count)
    try database.commit(step: step)
    try database.close()
  }

  private func update(
    _ table: EmbeddingTable, steps: ClosedRange<Int64>, count: Int64 = 300
  ) throws {
    for step in steps {
      var random = SeededGenerator(seed: UInt64(step))
      let ids = (0..<64).map { _ in Int64.random(in: -count..<count, using: &random) }
      try table.update(IDColumn(ids), gradients: random.floats(64 * 8), step: step)
    }
  }

  private func rows(_ source: String) throws -> [String: [String: String]] {
    var rows: [String: [String: String]] = [:]
    for row in try bench.succeed("dump", source, "--jsonl").jsonLines() {
      // Row numbers differ.
      let fields = row.filter { $0.key != "row" }.mapValues { "\($0)" }
      rows[fields["id"] ?? ""] = fields
    }
    return rows
  }

  @Test func trainingGoesOnFromASnapshotInANewDatabase() throws {
    try train()
    let export = try bench.succeed("export", "x.emb", "x.embsnap", "--json").json()
    #expect(export["format"] as? String == "snapshot")
    #expect(export["step"] as? Int == 41)
    #expect(export["encoding"] as? String == "float32")
    let imported = try bench.succeed("import", "y.emb", "x.embsnap", "--create", "--json").json()
    #expect(imported["table"] as? String == "items")
    #expect(imported["inserted"] as? Int == export["rows"] as? Int)
    #expect(try bench.succeed("stat", "y.emb", "--json").json()["step"] as? Int == 41)
    #expect(try rows("y.emb") == rows("x.emb"))
    for name in ["x.emb", "y.emb"] {
      let database = try EmbeddingDatabase(at: bench.path(name))
      try update(try database.table("items"), steps: 42...50)
      try database.commit(step: 50)
      try database.close()
    }
    #expect(try rows("y.emb") == rows("x.emb"))
    try bench.succeed("verify", "y.emb")
  }

  @Test func commandsThatLookTakeASnapshot() throws {
    try bench.makeWords()
    try bench.succeed("export", "words.emb", "words.embsnap")
    // Without their numbers, which differ; as bytes, since ids may be equal to Swift that are not.
    func lines(_ source: String) throws -> [[UInt8]] {
      try bench.succeed("dump", source, "--jsonl").lines
        .map { Array($0.utf8.drop { $0 != UInt8(ascii: ",") }) }
        .sorted { $0.lexicographicallyPrecedes($1) }
    }
    #expect(try lines("words.embsnap") == lines("words.emb"))
    for arguments in [["get", "king", "queen"], ["similar", "king", "--count=5"]] {
      func run(_ source: String) throws -> String {
        try bench.succeed(arguments[0], source, arguments[1], arguments[2]).out
      }
      #expect(try run("words.embsnap") == run("words.emb"))
    }
    let json = try bench.succeed("stat", "words.embsnap", "--json").json()
    #expect(json["table"] as? String == "words" && json["rows"] as? Int == 2446)
    #expect(try bench.succeed("stat", "words.embsnap").out.contains("identity"))
    #expect(try bench.succeed("dump", "words.embsnap", "--limit", "7", "--jsonl").lines.count == 7)
    #expect(
      try bench.succeed("verify", "words.embsnap").out
        == "words.embsnap is intact: 2,446 rows.\n")
    try bench.fail("get", "words.embsnap", "nosuch", status: 1, ["words.embsnap", "'nosuch'"])
    try bench.fail(
      "get", "words.embsnap", "king", "--table", "x", status: 1, ["words", "--table"])
    try bench.fail("stat", "no.embsnap", status: 1, ["no.embsnap"])
    try bench.fail("delete", "words.embsnap", "king", status: 1, ["snapshot", "never changes"])
  }

  @Test func dumpByFrequencyListsTheSameRows() throws {
    try train()
    try bench.succeed("export", "x.emb", "x.embsnap")
    func frequencies(_ source: String) throws -> [Int?] {
      try bench.succeed("dump", source, "--sort", "frequency", "--jsonl").jsonLines()
        .map { $0["frequency"] as? Int }
    }
    #expect(try frequencies("x.embsnap") == frequencies("x.emb"))
  }

  @Test func whatDoesNotFitIsRefusedWithItsRemedy() throws {
    try train()
    try bench.succeed(
      "export", "x.emb", "small.embsnap", "--encoding", "int8", "--no-slots", "--quiet")
    try bench.fail("import", "x.emb", "small.embsnap", status: 65, ["int8", "--accept-lossy"])
    try bench.fail(
      "import", "x.emb", "small.embsnap", "--accept-lossy", status: 65,
      ["slots", "--vectors-only"])
    try bench.succeed("import", "x.emb", "small.embsnap", "--accept-lossy", "--vectors-only")
    try bench.succeed("create", "x.emb", "other", "--dimension", "9", "--id-type", "int64")
    try bench.succeed("export", "x.emb", "x.embsnap", "--table", "items")
    try bench.fail(
      "import", "x.emb", "x.embsnap", "--table", "other", status: 65, ["dimension 8", "9"])
    try bench.fail(
      "export", "x.emb", "x.txt", "--table", "items", "--no-slots", status: 64, ["--no-slots"])
    try bench.fail(
      "export", "x.emb", "y.embsnap", "--table", "items", "--order", "frequency", status: 64,
      ["--order"])
    try bench.fail("import", "x.emb", "x.embsnap", "--limit", "3", status: 64, ["--limit"])
    #expect(!bench.exists("y.embsnap"))
    // A refused import leaves no database behind.
    try bench.fail("import", "new.emb", "small.embsnap", "--create", status: 65, ["int8"])
    #expect(!bench.exists("new.emb"))
  }

  private func bytes(_ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: bench.path(name)))
  }

  /// Trains `items` on to `last`, and deletes an id.
  private func trainOn(_ steps: ClosedRange<Int64>, deleting id: Int64) throws {
    let database = try EmbeddingDatabase(at: bench.path("x.emb"))
    let table = try database.table("items")
    try update(table, steps: steps)
    try table.delete([id])
    try database.commit(step: steps.upperBound)
    try database.close()
  }

  @Test func aDatabaseFollowsAnotherByDeltas() throws {
    try train()
    try bench.succeed("export", "x.emb", "base.embsnap")
    try bench.succeed("import", "y.emb", "base.embsnap", "--create")
    try trainOn(42...43, deleting: 5)
    let delta = try bench.succeed(
      "export", "x.emb", "d1.embsnap", "--since", "base.embsnap", "--json"
    ).json()
    #expect(delta["deletions"] as? Int == 1)
    #expect((delta["base"] as? [String: Any])?["step"] as? Int == 41)
    try trainOn(44...44, deleting: 6)
    let text = try bench.succeed("export", "x.emb", "d2.embsnap", "--since", "43").out
    #expect(text.contains("1 deleted id of table items, from step 43 to step 44"), "\(text)")
    try bench.succeed("export", "x.emb", "full.embsnap")
    try bench.succeed("merge", "base.embsnap", "d1.embsnap", "d2.embsnap", "-o", "merged.embsnap")
    #expect(try bytes("merged.embsnap") == bytes("full.embsnap"))

    try bench.fail("import", "y.emb", "d2.embsnap", status: 65, ["applies to", "in their order"])
    let applied = try bench.succeed("import", "y.emb", "d1.embsnap", "--json").json()
    #expect(applied["deleted"] as? Int == 1 && applied["applied_before"] as? Bool == false)
    #expect(
      try bench.succeed("import", "y.emb", "d1.embsnap").out.contains("nothing to do"))
    try bench.succeed("import", "y.emb", "d2.embsnap")
    #expect(try rows("y.emb") == rows("x.emb"))
    #expect(try bench.succeed("stat", "y.emb", "--json").json()["step"] as? Int == 44)
    try bench.succeed("verify", "y.emb")
    // A snapshot and a database are compared as two snapshots are.
    let same = try bench.succeed("diff", "full.embsnap", "y.emb", "--json").json()
    #expect(same["moved"] as? Int == 0 && same["added"] as? Int == 0)
    let moved = try bench.succeed("diff", "base.embsnap", "x.emb", "--json").json()
    let asSnapshots = try bench.succeed("diff", "base.embsnap", "full.embsnap", "--json").json()
    for key in ["added", "removed", "moved", "unmoved"] {
      #expect(moved[key] as? Int == asSnapshots[key] as? Int)
    }
    try bench.fail("export", "x.emb", "z.txt", "--since", "3", status: 64, ["--since"])
    try bench.fail("export", "x.emb", "z.embsnap", "--since", "99", status: 64, ["at step 44"])
  }

  @Test func aSnapshotGoesThroughAPipe() throws {
    try train()
    try bench.succeed("export", "x.emb", "x.embsnap")
    try bench.succeed(
      "create", "y.emb", "items", "--dimension", "8", "--id-type", "int64",
      "--optimizer", "adam", "--seed", "7")
    let shell = Process()
    shell.executableURL = URL(fileURLWithPath: "/bin/sh")
    shell.currentDirectoryURL = URL(fileURLWithPath: bench.path("."))
    let tool = Workbench.tool.path
    shell.arguments = [
      "-c",
      "'\(tool)' export x.emb - --format snapshot --quiet"
        + " | '\(tool)' import y.emb - --format snapshot > /dev/null",
    ]
    try shell.run()
    shell.waitUntilExit()
    #expect(shell.terminationStatus == 0)
    #expect(try rows("y.emb") == rows("x.emb"))
  }

  @Test func verifyFindsAFlippedBitInASnapshot() throws {
    try train()
    try bench.succeed("export", "x.emb", "x.embsnap")
    let url = URL(fileURLWithPath: bench.path("x.embsnap"))
    var bytes = try Data(contentsOf: url)
    bytes[bytes.count / 2] ^= 1
    try bytes.write(to: url)
    let run = try bench.run("verify", "x.embsnap", "--json")
    #expect(run.status == 1)
    #expect(try run.json()["intact"] as? Bool == false)
    #expect(try bench.run("verify", "x.embsnap").out.contains("DAMAGED"))
    try bench.fail("import", "y.emb", "x.embsnap", "--create", status: 1, ["x.embsnap"])
    #expect(!bench.exists("y.emb"))
  }

  @Test func diffShowsWhatCameWentAndMoved() throws {
    try write("a", step: 1, rows: [-5: 1, 1: 1, 2: 2, 3: 3])
    try write("b", step: 2, rows: [1: 1, 2: 5, 3: 3.5, 9: 9, 10: 1])
    let json = try bench.succeed("diff", "a", "b", "--json", "--count", "1").json()
    let counts = ["added", "removed", "moved", "unmoved"].map { json[$0] as? Int }
    #expect(counts == [2, 1, 2, 1])
    #expect(json["mean_distance"] as? Double == 1.75)
    let farthest = try #require(json["farthest"] as? [[String: Any]])
    #expect(farthest.count == 1)
    #expect(farthest[0]["id"] as? Int == 2 && farthest[0]["distance"] as? Double == 3)
    let bins = try #require(json["histogram"] as? [[String: Any]])
    #expect(bins.map { $0["from"] as? Double } == [0.5, 1, 2])
    #expect(bins.map { $0["rows"] as? Int } == [1, 0, 1])
    let text = try bench.succeed("diff", "a", "b").out
    #expect(text.contains("added    2\n") && text.contains("moved farthest"))
    #expect(try bench.succeed("diff", "a", "a").out.contains("unmoved  4\n"))
    try train()
    try bench.succeed("export", "x.emb", "x.embsnap")
    try bench.fail("diff", "a", "x.embsnap", status: 65, ["dimension 1", "8"])
    try bench.fail("diff", "a", "no", status: 1, ["no"])
  }

  @Test func mergeAppliesDeltas() throws {
    let base = try write("base", step: 1, rows: [1: 1, 2: 2, 3: 3])
    try write("delta", step: 2, rows: [2: 20, 9: 9], deleting: [1], from: base)
    let json = try bench.succeed("merge", "base", "delta", "-o", "new.embsnap", "--json").json()
    #expect(json["rows"] as? Int == 3 && json["step"] as? Int == 2)
    let merged = try rows("new.embsnap").mapValues { $0["norm"] }
    #expect(merged == ["2": "20.0", "3": "3.0", "9": "9.0"])
    try bench.fail("merge", "base", "base", "-o", "x", status: 64, ["full snapshot"])
    try bench.fail("merge", "new.embsnap", "base", "-o", "x", status: 64, ["full snapshot"])
    try bench.fail("get", "delta", "2", status: 64, ["embstore merge"])
    try bench.fail(
      "import", "x.emb", "delta", "--create", status: 65, ["applies to", "full snapshot"])
    #expect(try bench.succeed("stat", "delta").out.contains("applies to"))
    #expect(!bench.exists("x") && !bench.exists("x.emb"))
  }

  /// Writes a snapshot of Int64 ids with one float each, or a delta.
  @discardableResult
  private func write(
    _ name: String, step: Int64, rows: [Int64: Float], deleting deleted: [Int64] = [],
    from base: SnapshotDescription? = nil
  ) throws -> SnapshotDescription {
    let description = SnapshotDescription(
      identity: SnapshotIdentity(high: 0, low: UInt64(step)), table: "t", idType: .int64,
      dimension: 1, initializer: "constant",
      initializerParameters: [Hyperparameter(name: "value", value: 0)], optimizer: "sgd",
      learningRate: 1, point: CommitPoint(step: step), generation: UInt64(step),
      base: base?.state)
    let writer = try SnapshotWriter(path: bench.path(name), description: description)
    var batch = RowBatch(idType: .int64, dimension: 1)
    for id in rows.keys.sorted() {
      batch.ids.append(id)
      batch.vectors.append(rows[id] ?? 0)
    }
    try writer.append(batch)
    if !deleted.isEmpty { try writer.appendDeletions(IDColumn(deleted)) }
    try writer.finish()
    return description
  }
}
