import Embeddings

/// Questions "a is to b as c is to ?", answered by the word whose vector is closest to b - a + c
/// (3CosAdd): gensim's `evaluate_word_analogies`. Questions with a word that was not trained are
/// skipped, and the words of a question are no answers.
struct Analogies {
  private var questions: [[String]] = []

  /// Reads lines of four words; lines that start with a colon name sections.
  init(path: String) throws(EmbeddingError) {
    for line in try textLines(path) where !line.hasPrefix(":") {
      let words = line.split(separator: " ").map { $0.lowercased() }
      if words.count == 4 { questions.append(words) }
    }
    guard !questions.isEmpty else {
      throw EmbeddingError(.malformedInput, "\(path) has no lines of four words.")
    }
  }

  func evaluate(
    _ vectors: WordVectors, restrictedTo limit: Int
  ) throws(EmbeddingError) -> String {
    let words = try vectors.mostFrequent(limit)
    let found = try vectors.unitVectors(of: words)
    let matrix = words.map { found[$0] ?? [] }
    var numbers: [String: Int] = [:]
    for (number, word) in words.enumerated() { numbers[word] = number }
    var answered = 0
    var correct = 0
    for question in questions {
      let known = question.compactMap { numbers[$0] }
      guard known.count == 4 else { continue }
      answered += 1
      let (a, b, c) = (matrix[known[0]], matrix[known[1]], matrix[known[2]])
      let target = a.indices.map { b[$0] - a[$0] + c[$0] }
      var best = (score: -Float.infinity, number: -1)
      for (number, row) in matrix.enumerated() where !known[..<3].contains(number) {
        let score = dot(row, target)
        if score > best.score { best = (score, number) }
      }
      if best.number == known[3] { correct += 1 }
    }
    let accuracy = answered == 0 ? 0 : Double(correct) / Double(answered)
    return "\((100 * accuracy).text(decimals: 2)) % correct, \(correct) of \(answered) questions"
      + " (\(questions.count - answered) skipped)"
  }
}
