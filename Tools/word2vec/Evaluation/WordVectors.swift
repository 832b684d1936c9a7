import Embeddings

/// The trained vectors as evaluation reads them: looked up word by word, scaled to length 1.
struct WordVectors {
  let table: EmbeddingTable
  let minimumCount: UInt64

  init(_ table: EmbeddingTable, minimumCount: UInt64) {
    self.table = table
    self.minimumCount = minimumCount
  }

  /// The vectors of those of `words` that were trained, by word, of length 1.
  func unitVectors(of words: [String]) throws(EmbeddingError) -> [String: [Float]] {
    let column = IDColumn(words)
    let metadata = try table.metadata(column)
    let vectors = try table.lookup(words)
    var found: [String: [Float]] = [:]
    for (i, word) in words.enumerated()
    where metadata[i].isPresent && metadata[i].frequency >= minimumCount {
      found[word] = Self.scaled(vectors[i])
    }
    return found
  }

  /// The words of the last commit, the most frequent first, at most `limit`.
  func mostFrequent(_ limit: Int) throws(EmbeddingError) -> [String] {
    var words: [(frequency: UInt64, word: String)] = []
    try table.forEachBatch(ofAtMost: 4096, includingSlots: false) {
      (batch) throws(EmbeddingError) in
      for i in 0..<batch.count where batch.frequencies[i] >= minimumCount {
        words.append(
          (
            batch.frequencies[i],
            batch.ids.withBytes(of: i) { String(decoding: $0, as: UTF8.self) }
          ))
      }
      return true
    }
    words.sort { ($1.frequency, $0.word) < ($0.frequency, $1.word) }
    return words.prefix(limit).map(\.word)
  }

  private static func scaled(_ vector: [Float]) -> [Float] {
    let norm = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return norm > 0 ? vector.map { $0 / norm } : vector
  }
}

/// The dot product of two vectors; of unit vectors, their cosine.
func dot(_ a: [Float], _ b: [Float]) -> Float {
  var sum: Float = 0
  for (x, y) in zip(a, b) { sum += x * y }
  return sum
}

/// The lines of a small text file that are neither empty nor comments (`#`).
func textLines(_ path: String) throws(EmbeddingError) -> [String] {
  let source = try ByteSource(path: path)
  var lines: [String] = []
  while let line = try source.nextLine(
    maximum: 1 << 16,
    { (bytes) throws(EmbeddingError) in
      bytes.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    })
  {
    if !line.isEmpty && !line.hasPrefix("#") { lines.append(line) }
  }
  return lines
}
