/// A sample in row numbers: a ``CandidateSample`` before its ids are looked up.
package struct RowSample: Sendable, Hashable {
  /// The rows, `[count]`; nil for a positive that the table does not hold.
  package var rows: [Int?] = []
  /// Which of them are positives, `[count]`; they come first.
  package var isPositive: [Bool] = []
  /// The probability of each in one draw, `[count]`.
  package var probability: [Float] = []
  /// The expected number of each among the negatives, `[count]`.
  package var expectedCount: [Float] = []
  /// All draws, those thrown away included.
  package var tries = 0
  /// The positions of negatives that are also positives, rising.
  package var accidentalHits: [Int] = []

  /// The number of candidates.
  package var count: Int { rows.count }
}
