import StorageBase

/// How likely each stored row is to be drawn as a negative.
public enum SamplingDistribution: Sendable, Hashable {
  /// Every row alike.
  case uniform
  /// By rank in the order of falling frequency, rank 0 being the most frequent row:
  /// `P(k) = ln((k + 2) / (k + 1)) / ln(rows + 1)`, TensorFlow's log-uniform candidate sampler.
  ///
  /// The rank order takes 8 bytes of memory a row and a pass over the table to build, so it is not
  /// built with every commit but at the first draw, and again once the number of rows or of updates
  /// has changed by more than 10 %. Until then ranks lag behind the frequencies, and a process that
  /// has just opened the table may draw otherwise than one with an older order. At most 2^32 rows.
  case logUniform
  /// In proportion to `frequency^distortion`; 0.75 is word2vec's, 1 follows the data, 0 makes all
  /// rows that were updated at least once alike.
  ///
  /// A row of frequency 0 is never drawn, unless every row has frequency 0: then all are alike.
  /// `distortion` lies in 0...8.
  case unigram(distortion: Float)

  func validate() throws(EmbeddingError) {
    // The bound keeps sums finite: (2^64)^8 is 2^512, and doubles reach 2^1023.
    if case .unigram(let distortion) = self, !(distortion >= 0 && distortion <= 8) {
      throw EmbeddingError(
        .invalidArgument,
        "The distortion of unigram sampling is \(distortion); it must lie in 0...8"
          + " (0.75 is usual).")
    }
  }
}
