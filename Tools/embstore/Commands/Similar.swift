import ArgumentParser
import Embeddings

/// Finds the rows nearest to others.
struct Similar: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Find the rows nearest to one, or to a sum of several (analogies).",
    discussion: """
      Exact: every row of the last commit is compared. Several ids, and those after --minus, are \
      scaled to length 1 and added up, as gensim's most_similar does: 'king is to man as what is \
      to woman' is king + woman - man. The ids asked for are not among the answers. With the metric \
      euclidean less is nearer.

      With --json: one array of objects with id and score, nearest first.

      EXAMPLES:
        embstore similar words.emb king
        embstore similar words.emb king woman --minus man --count 3
        embstore similar model.emb --table users 42 --metric dot --json
      """)

  @OptionGroup var database: SourceArguments
  @Argument(help: "The id; of several the sum.")
  var ids: [String]
  @Option(parsing: .singleValue, help: "An id to subtract; may be repeated.")
  var minus: [String] = []
  @Option(name: .shortAndLong, help: "How many to find.")
  var count = 10
  @Option(
    help: "What is near: \(SimilarityMetric.allCases.map(\.rawValue).joined(separator: ", ")).")
  var metric: SimilarityMetric = .cosine
  @OptionGroup var table: TableOption
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard count > 0 else { throw ValidationError("--count is \(count); ask for 1 or more.") }
  }

  func run() throws {
    let source = try database.open(table)
    let terms = try parseIDs(ids + minus, for: source)
    let all = (0..<terms.count).map { terms[$0] }
    let (vectors, metadata) = try source.rows(terms)
    let missing = all.indices.filter { !metadata[$0].isPresent }
    guard missing.isEmpty else { throw noRow(missing.map { all[$0] }, in: source) }
    let query = sum(vectors, dimension: source.configuration.dimension)
    let found = try source.store.nearest(to: query, count: count, metric: metric, excluding: all)
    var out = Output()
    if output.json {
      let list = found.map { JSON.object($0.id.members + [("score", .float($0.score))]) }
      try out.line(JSON.array(list).pretty)
    } else {
      var lines = TextTable([("id", .left), (metric.rawValue, .right)])
      for neighbor in found {
        lines.add([neighbor.id.shown, fixed(Double(neighbor.score), 4)])
      }
      for line in lines.takeLines(titled: true) { try out.line(line) }
    }
    try out.flush()
  }

  /// A single vector as it is; of several the sum of the first, less the rest, at length 1 each.
  private func sum(_ vectors: [Float], dimension: Int) -> [Float] {
    guard ids.count + minus.count > 1 else { return vectors }
    var total = [Double](repeating: 0, count: dimension)
    for term in 0..<ids.count + minus.count {
      let vector = vectors[term * dimension..<(term + 1) * dimension]
      let length = norm(vector)
      guard length > 0 else { continue }
      let scale = (term < ids.count ? 1 : -1) / length
      for (j, value) in vector.enumerated() { total[j] += Double(value) * scale }
    }
    return total.map { Float($0) }
  }
}
