public import StorageBase

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// One list of candidates, of the length that was asked for: the positives first, in the order
/// given, then the negatives in the order drawn (DynamicEmbedding 2020, section 3.2.4).
///
/// A fixed length lets examples have different numbers of positives: what an example has fewer in
/// positives it gets more in negatives. The arithmetic is that of TensorFlow's `range_sampler.cc`.
public struct CandidateSample: Sendable, Hashable {
  /// The ids, `[count]`.
  public let ids: IDColumn
  /// Which of them are positives, `[count]`.
  public let isPositive: [Bool]
  /// The probability of each id in one draw, `[count]`, always above 0.
  ///
  /// A positive that could not be drawn gets the probability of the least likely row that can: of
  /// any row if `uniform`, of the last rank if `logUniform`, of a row updated once if `unigram`.
  public let probability: [Float]
  /// How often each id was to be expected among the negatives, `[count]`: `p * tries` with
  /// replacement, `1 - (1 - p)^tries` without. (If nothing was drawn, `tries` counts as 1 here, so
  /// that the logarithms stay finite.)
  public let expectedCount: [Float]
  /// All draws that it took, those thrown away included.
  public let tries: Int
  /// The positions of the negatives that are also positives, rising; to be masked in the loss.
  /// Empty where the request excludes positives.
  public let accidentalHits: [Int]

  /// The candidates of `rows`, whose ids are `ids`.
  package init(_ rows: RowSample, ids: IDColumn) {
    precondition(ids.count == rows.count, "one id is needed for each sampled row")
    self.ids = ids
    isPositive = rows.isPositive
    probability = rows.probability
    expectedCount = rows.expectedCount
    tries = rows.tries
    accidentalHits = rows.accidentalHits
  }

  /// The number of candidates.
  public var count: Int { isPositive.count }

  /// `ln(expectedCount)`, `[count]`: what sampled softmax subtracts from the logits of positives
  /// and negatives alike.
  public func logExpectedCounts() -> [Float] { expectedCount.map { log($0) } }
}
