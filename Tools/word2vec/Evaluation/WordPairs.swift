import Embeddings

/// Pairs of words with human judgements of their similarity, compared with the cosine of their
/// vectors by Spearman's rank correlation: gensim's `evaluate_word_pairs`. Pairs with a word that
/// was not trained are skipped.
struct WordPairs {
  private var pairs: [(first: String, second: String, score: Double)] = []

  /// Reads `word <tab> word <tab> score` lines; words are folded to lower case.
  init(path: String) throws(EmbeddingError) {
    for line in try textLines(path) {
      let parts = line.split(separator: "\t")
      // A line of column titles has no number.
      guard parts.count >= 3, let score = Double(parts[2]) else { continue }
      pairs.append((parts[0].lowercased(), parts[1].lowercased(), score))
    }
    guard !pairs.isEmpty else {
      throw EmbeddingError(
        .malformedInput, "\(path) has no lines of word, word and score between tabs.")
    }
  }

  func evaluate(_ vectors: WordVectors) throws(EmbeddingError) -> String {
    let words = Set(pairs.flatMap { [$0.first, $0.second] }).sorted()
    let found = try vectors.unitVectors(of: words)
    var judged: [Double] = []
    var measured: [Double] = []
    for pair in pairs {
      guard let first = found[pair.first], let second = found[pair.second] else { continue }
      judged.append(pair.score)
      measured.append(Double(dot(first, second)))
    }
    let correlation = spearman(judged, measured)
    return "spearman \(correlation.text(decimals: 4)), \(judged.count) of \(pairs.count) pairs"
  }
}

/// Spearman's rank correlation: Pearson's of the ranks, equal values sharing their mean rank.
func spearman(_ a: [Double], _ b: [Double]) -> Double {
  let (x, y) = (ranks(a), ranks(b))
  let mean = Double(a.count + 1) / 2
  var (xy, xx, yy) = (0.0, 0.0, 0.0)
  for (x, y) in zip(x, y) {
    xy += (x - mean) * (y - mean)
    xx += (x - mean) * (x - mean)
    yy += (y - mean) * (y - mean)
  }
  return xy / (xx * yy).squareRoot()
}

private func ranks(_ values: [Double]) -> [Double] {
  let order = values.indices.sorted { values[$0] < values[$1] }
  var ranks = [Double](repeating: 0, count: values.count)
  var start = 0
  while start < order.count {
    var end = start + 1
    while end < order.count && values[order[end]] == values[order[start]] { end += 1 }
    for i in start..<end { ranks[order[i]] = Double(start + end + 1) / 2 }
    start = end
  }
  return ranks
}
