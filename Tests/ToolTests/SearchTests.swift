import Foundation
import Testing

@Suite struct SearchTests {
  let bench = Workbench()

  @Test func kingIsNearPrinceAndQueen() throws {
    try bench.makeWords()
    let lines = try bench.succeed("similar", "words.emb", "king", "--count", "3").lines
    #expect(lines == ["id      cosine", "prince  0.8236", "queen   0.7839", "ii      0.7746"])
  }

  @Test func kingMinusManPlusWomanIsQueen() throws {
    try bench.makeWords()
    let run = try bench.succeed(
      "similar", "words.emb", "king", "woman", "--minus", "man", "--count", "1", "--json")
    let list = try JSONSerialization.jsonObject(with: Data(run.out.utf8)) as? [[String: Any]]
    #expect(list?.first?["id"] as? String == "queen")
  }

  @Test func otherMetricsOrderOtherwise() throws {
    try bench.write("a 1 0\nfar 9 1\nnear 1 1\n", to: "x.txt")
    try bench.succeed("import", "x.emb", "x.txt", "--create")
    func best(_ metric: String) throws -> String {
      try bench.succeed("similar", "x.emb", "a", "--metric", metric, "-c", "1").lines[1]
    }
    #expect(try best("cosine") == "far  0.9939")
    #expect(try best("dot") == "far  9.0000")
    #expect(try best("euclidean") == "near  1.0000".replacingOccurrences(of: "  ", with: "     "))
  }

  @Test func anUnknownWordIsNamed() throws {
    try bench.makeWords()
    try bench.fail(
      "similar", "words.emb", "king", "--minus", "nosuch", status: 1, ["words", "'nosuch'"])
    try bench.fail("similar", "words.emb", "king", "--metric", "best", status: 64, ["cosine"])
    try bench.fail("similar", "words.emb", "king", "--count", "0", status: 64, ["1 or more"])
  }
}
