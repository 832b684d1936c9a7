import Embeddings

/// Words drawn from the store by `frequency^distortion`, from which the negatives of many batches
/// are taken.
///
/// One draw from the store costs about as much as training one pair, so a few tens of thousands are
/// drawn at a time and drawn from again, uniformly, until the next round. Within a round rare words
/// occur in proportion to the pool, over the rounds in proportion to their probability.
struct NegativePool: Sendable {
  /// The distinct words of the pool.
  let words: WordIndex
  /// The number among `words` of each word drawn; as often as it was drawn.
  let draws: [UInt32]

  /// Draws `size` words from the rows of the last commit of `table`.
  ///
  /// Words below `minimumCount` are left out, unless there are no others.
  init(
    from table: EmbeddingTable, size: Int, distortion: Float, minimumCount: UInt64, seed: UInt64
  ) throws(EmbeddingError) {
    let sample = try table.sample(
      SamplingRequest(
        count: size, distribution: .unigram(distortion: distortion), isDistinct: false,
        excludesPositives: false, seed: seed))
    var words = WordIndex()
    var draws: [UInt32] = []
    draws.reserveCapacity(size)
    for i in 0..<sample.count {
      draws.append(UInt32(sample.ids.withBytes(of: i) { words.insert($0) }))
    }
    let frequencies = try table.metadata(words.ids).map(\.frequency)
    let frequent = draws.filter { frequencies[Int($0)] >= minimumCount }
    self.words = words
    self.draws = frequent.isEmpty ? draws : frequent
  }
}
