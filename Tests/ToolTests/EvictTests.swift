import Embeddings
import Foundation
import Testing

@Suite struct EvictTests {
  let bench = Workbench()

  /// Ids 1 to 100, of which id n was updated n times, last at step n.
  private func train() throws {
    let database = try EmbeddingDatabase(at: bench.path("x.emb"))
    let table = try database.table("t", TableConfiguration(dimension: 2, idType: .int64))
    for step in 1...Int64(100) {
      let ids = IDColumn(Array(step...100))
      let gradients = [Float](repeating: 1, count: ids.count * 2)
      let order = IDColumn(Array((1...(101 - step)).reversed()))
      try table.update(step == 1 ? ids : order, gradients: gradients, step: step)
    }
    try database.commit(step: 100)
    try database.close()
  }

  @Test func aDryRunSaysWhatAnEvictionDoes() throws {
    try train()
    for options in [
      ["--older-than", "50"], ["--fewer-than", "30"], ["--keep", "40", "--by", "newest"],
      ["--keep", "20", "--by", "frequency"], ["--norm-below", "1e-3"],
      ["--older-than", "10", "--fewer-than", "3", "--keep", "5", "--by", "newest"],
    ] {
      func evict(_ more: [String]) throws -> [String: Any] {
        let run = try bench.run(["evict", "x.emb", "--json", "--sample", "1000"] + more + options)
        #expect(run.status == 0, "\(run.err)")
        return try run.json()
      }
      let before = try bench.succeed("dump", "x.emb", "--jsonl").out
      var predicted = try evict(["--dry-run"])
      #expect(try bench.succeed("dump", "x.emb", "--jsonl").out == before)
      var done = try evict([])
      #expect(predicted.removeValue(forKey: "dry_run") as? Bool == true)
      #expect(done.removeValue(forKey: "dry_run") as? Bool == false)
      #expect(NSDictionary(dictionary: predicted) == NSDictionary(dictionary: done))
      let stat = try bench.succeed("stat", "x.emb", "--json").json()
      #expect(stat["step"] as? Int == 100 && stat["batches"] as? Int == 0)
      try bench.succeed("verify", "x.emb")
    }
    let table = try #require(
      (try bench.succeed("stat", "x.emb", "--json").json()["tables"] as? [[String: Any]])?.first)
    #expect((table["evicted"] as? Int ?? 0) + (table["rows"] as? Int ?? 0) == 100)
    #expect(try bench.succeed("stat", "x.emb").out.contains("evicted"))
  }

  @Test func theTextTeaches() throws {
    try train()
    let text = try bench.succeed("evict", "x.emb", "--fewer-than", "10", "--dry-run").out
    for part in ["Would evict", "would be left", "too rare", "age in steps", "such as:"] {
      #expect(text.contains(part), "\(part)")
    }
    #expect(
      try bench.succeed("evict", "x.emb", "--fewer-than", "0").out.hasPrefix("Evicted 0 rows"))
  }

  @Test func optionsThatCannotBeAreUsageErrors() throws {
    try train()
    try bench.fail("evict", "x.emb", status: 64, ["--older-than", "--keep"])
    try bench.fail("evict", "x.emb", "--keep", "4", status: 64, ["--by"])
    try bench.fail("evict", "x.emb", "--by", "newest", status: 64, ["--keep"])
    try bench.fail("evict", "x.emb", "--norm-below", "nan", status: 64, ["--norm-below"])
    try bench.fail("evict", "x.emb", "--older-than=-3", status: 64, ["--older-than"])
    try bench.fail("evict", "no.emb", "--fewer-than", "2", status: 1, ["no.emb"])
  }

  @Test func compactionInPlaceGivesRoomBack() throws {
    try bench.makeWords()
    try bench.succeed("evict", "words.emb", "--keep", "500", "--by", "frequency", "--quiet")
    let before = try bench.succeed("dump", "words.emb", "--jsonl").out
    let json = try bench.succeed("compact", "words.emb", "--json").json()
    #expect(json["copy"] is NSNull)
    let sizes = ["bytes_before", "bytes_after"].compactMap { json[$0] as? Int }
    #expect(sizes.count == 2 && sizes[1] < sizes[0])
    #expect(try bench.succeed("dump", "words.emb", "--jsonl").out == before)
    try bench.succeed("verify", "words.emb")
    let database = try EmbeddingDatabase(at: bench.path("words.emb"), options: .readOnly)
    try bench.fail("compact", "words.emb", status: 75, ["open in another process"])
    try database.close()
    try bench.fail("compact", "no.emb", status: 1, ["no.emb"])
  }
}
