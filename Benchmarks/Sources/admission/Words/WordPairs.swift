/// Pairs of words with human judgements of their similarity, such as WordSim-353.
struct WordPairs: Sendable {
  let pairs: [(first: String, second: String, score: Double)]

  /// Reads `word <tab> word <tab> score` lines; nil where the file is missing.
  init?(path: String) {
    guard let lines = lines(of: path) else { return nil }
    pairs = lines.compactMap { line in
      let parts = line.split(separator: "\t")
      guard !line.hasPrefix("#"), parts.count >= 3, let score = Double(parts[2]) else { return nil }
      return (parts[0].lowercased(), parts[1].lowercased(), score)
    }
  }

  init(_ pairs: [(first: String, second: String, score: Double)]) { self.pairs = pairs }
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
