import StorageBase

/// What to sample: how many candidates, by which distribution, and what to do about repetitions.
public struct SamplingRequest: Sendable, Hashable {
  /// The length of the list that comes back: positives and negatives together.
  public var count: Int
  /// How likely each stored row is to be drawn.
  public var distribution: SamplingDistribution
  /// Whether no two negatives are the same row (sampling without replacement).
  public var isDistinct: Bool
  /// Whether a draw that hits a positive is thrown away and drawn again. If not, such negatives
  /// stay in the list and are named by ``CandidateSample/accidentalHits``.
  public var excludesPositives: Bool
  /// The seed. The same seed over the same stored state gives the same sample (log-uniform: with
  /// the same rank order, see ``SamplingDistribution/logUniform``). Log-uniform sampling, distortions
  /// other than 0, 0.5, 0.75 and 1, and requests that would draw most of a table use the C library's
  /// `exp`, `log` and `pow`: with another C library their samples may differ.
  public var seed: UInt64

  /// Creates a request; the defaults are those of sampled softmax.
  public init(
    count: Int, distribution: SamplingDistribution = .logUniform, isDistinct: Bool = true,
    excludesPositives: Bool = true, seed: UInt64
  ) {
    self.count = count
    self.distribution = distribution
    self.isDistinct = isDistinct
    self.excludesPositives = excludesPositives
    self.seed = seed
  }

  func validate() throws(EmbeddingError) {
    try distribution.validate()
    guard count >= 0 else {
      throw EmbeddingError(
        .invalidArgument, "A sample of \(count) candidates was asked for; ask for 0 or more.")
    }
  }
}
