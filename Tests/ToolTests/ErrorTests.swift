import Embeddings
import Foundation
import Testing

@Suite struct ErrorTests {
  let bench = Workbench()

  @Test func aMissingDatabaseIsTold() throws {
    try bench.write("not a directory", to: "file")
    try FileManager.default.createDirectory(
      atPath: bench.path("empty"), withIntermediateDirectories: false)
    for command in [["stat"], ["dump"], ["verify"], ["get", "a"], ["delete", "a"]] {
      let rest = command.dropFirst().first
      func check(_ path: String, _ text: String) throws {
        let run =
          try rest.map { try bench.run(command[0], path, $0) } ?? bench.run(command[0], path)
        #expect(run.status == 1)
        #expect(run.err.contains("There is no database at \(path). \(text)"), "\(run.err)")
        #expect(run.err.contains("embstore create"))
      }
      try check("nowhere.emb", "It does not exist.")
      try check("empty", "The directory holds no database.")
      try check("file", "It is a file")
    }
    // Looking made nothing.
    #expect(bench.names == ["empty", "file"])
    #expect(try FileManager.default.contentsOfDirectory(atPath: bench.path("empty")).isEmpty)
  }

  @Test func ofSeveralTablesOneMustBeNamed() throws {
    try bench.succeed("create", "x.emb", "users", "--dimension", "2")
    try bench.succeed("create", "x.emb", "items", "--dimension", "2")
    try bench.fail("dump", "x.emb", status: 64, ["--table", "items, users"])
    try bench.fail("dump", "x.emb", "--table", "user", status: 1, ["user", "items, users"])
    try bench.fail("stat", "x.emb", "--table", "user", status: 1, ["items, users"])
    try bench.succeed("dump", "x.emb", "-t", "users")
  }

  @Test func notFiniteNumbersStayValidJSON() throws {
    let database = try EmbeddingDatabase(at: bench.path("x.emb"))
    let table = try database.table(
      "t", TableConfiguration(dimension: 2, optimizer: .sgd(learningRate: 1)))
    let big = Float.greatestFiniteMagnitude
    try table.update(["a", "b"], gradients: [[-big, 1], [1, 1]], step: 1)
    try table.update(["a"], gradients: [[-big, 1]], step: 2)
    try database.commit(step: 2)
    try database.close()
    let row = try bench.succeed("get", "x.emb", "a", "--json").json()
    #expect((row["vector"] as? [Any])?.first is NSNull)
    #expect(row["norm"] is NSNull)
    _ = try bench.succeed("dump", "x.emb", "--jsonl").jsonLines()
    let stat = try bench.succeed("stat", "x.emb", "--json").json()
    #expect(((stat["tables"] as? [[String: Any]])?[0]["non_finite_rows"]) as? Int == 1)
    #expect(try bench.succeed("verify", "x.emb").out.contains("NaN or infinity in 1 row"))
  }
}
