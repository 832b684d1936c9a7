import Embeddings

/// A batch's copy of the rows that it needs of one table, and the gradients that it gives back.
struct LocalRows {
  private(set) var ids = IDColumn(type: .bytes)
  /// Row-major `[ids, dimension]`.
  var vectors: [Float] = []
  /// Row-major `[ids, dimension]`.
  var gradients: [Float] = []

  /// Reads the first `count` of `words` from `table`; those that it does not have become rows.
  mutating func lookUp(
    _ words: WordIndex, count: Int, in table: EmbeddingTable, dimension: Int
  ) throws(EmbeddingError) {
    ids.removeAll()
    for row in 0..<count { words.ids.withBytes(of: row) { ids.append(bytes: $0) } }
    let floats = count * dimension
    if vectors.count > floats {
      vectors.removeLast(vectors.count - floats)
    } else {
      vectors.append(contentsOf: repeatElement(0, count: floats - vectors.count))
    }
    let batch = ids
    var span = vectors.mutableSpan
    try table.lookup(batch.batch, into: &span, mode: .training)
  }

  /// Keeps the vectors as they are in `gradients`, until `makeDifferences()`.
  mutating func keepVectors() {
    gradients.removeAll(keepingCapacity: true)
    gradients.append(contentsOf: vectors)
  }

  /// Makes the gradients what takes the kept vectors to the present ones at learning rate 1.
  mutating func makeDifferences() {
    for i in gradients.indices { gradients[i] -= vectors[i] }
  }

  /// Sets all gradients to 0.
  mutating func clearGradients() {
    gradients.removeAll(keepingCapacity: true)
    gradients.append(contentsOf: repeatElement(0, count: vectors.count))
  }

  /// Gives the gradients to the store. Frequencies are the text's, so they are not counted again.
  func update(
    _ table: EmbeddingTable, step: Int64, learningRate: Float
  ) throws(EmbeddingError) {
    try table.update(
      ids.batch, gradients: gradients.span, step: step, learningRate: learningRate,
      counting: .none)
  }
}
