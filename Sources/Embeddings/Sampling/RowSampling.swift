package import StorageBase

/// Samples one list of candidates: `positives`, then as many negatives as fill it up.
///
/// - Parameters:
///   - positives: the row of each positive, nil for one that the table does not hold. Repeated
///     positives stay repeated.
///   - example: which of the lists of a batch it is; each draws from a sequence of its own.
/// - Throws: ``EmbeddingError/Code/invalidArgument`` if there are more positives than the list is
///   long, if the table is empty, or if there are not enough rows to draw.
package func sampleRows<Source: SamplingSource & ~Copyable & ~Escapable>(
  _ request: SamplingRequest, positives: [Int?] = [], example: Int = 0,
  over source: borrowing Source, state: SamplerState
) throws(EmbeddingError) -> RowSample {
  try request.validate()
  let sampler = try state.sampler(for: request.distribution, over: source)
  return try sampleRows(
    request, positives: positives, example: example, over: source, sampler: sampler)
}

/// Samples a list for each example of a batch, `positives[i]` being the rows of its positives.
package func sampleRows<Source: SamplingSource & ~Copyable & ~Escapable>(
  _ request: SamplingRequest, positivesOfExamples positives: [[Int?]],
  over source: borrowing Source, state: SamplerState
) throws(EmbeddingError) -> [RowSample] {
  try request.validate()
  let sampler = try state.sampler(for: request.distribution, over: source)
  var samples: [RowSample] = []
  samples.reserveCapacity(positives.count)
  for (example, positives) in positives.enumerated() {
    samples.append(
      try sampleRows(
        request, positives: positives, example: example, over: source, sampler: sampler))
  }
  return samples
}

/// - Parameter rejections: see `NegativeDraws.draw`.
func sampleRows<Source: SamplingSource & ~Copyable & ~Escapable>(
  _ request: SamplingRequest, positives: [Int?], example: Int, over source: borrowing Source,
  sampler: RowSampler, rejections: Int? = nil
) throws(EmbeddingError) -> RowSample {
  // Not truncated: a label that silently drops out is worse than a stop that says so, and the
  // caller knows which of the positives matter most.
  guard positives.count <= request.count else {
    throw EmbeddingError(
      .invalidArgument,
      "Example \(example) has \(positives.count) positives, more than the \(request.count)"
        + " candidates asked for. Raise the count, or pass fewer positives.")
  }
  let positiveRows = Set(positives.lazy.compactMap { $0 })
  var negatives = NegativeDraws<Source>(
    sampler: sampler, excluded: request.excludesPositives ? positiveRows : [],
    isDistinct: request.isDistinct,
    generator: Xoshiro256(seed: request.seed, stream: UInt64(example)))
  try negatives.draw(request.count - positives.count, from: source, rejections: rejections)

  var sample = RowSample()
  sample.tries = negatives.tries
  for row in positives {
    sample.append(
      row, isPositive: true, isDistinct: request.isDistinct,
      probability: try sampler.probability(ofPositive: row, in: source))
  }
  for (row, probability) in zip(negatives.rows, negatives.probabilities) {
    if positiveRows.contains(row) { sample.accidentalHits.append(sample.count) }
    sample.append(
      row, isPositive: false, isDistinct: request.isDistinct, probability: probability)
  }
  return sample
}

extension RowSample {
  fileprivate mutating func append(
    _ row: Int?, isPositive: Bool, isDistinct: Bool, probability: Double
  ) {
    // Float's range is smaller than Double's; what has a probability must keep it above 0.
    let least = Float.leastNormalMagnitude
    let expected = expectedDraws(of: probability, tries: tries, isDistinct: isDistinct)
    rows.append(row)
    self.isPositive.append(isPositive)
    self.probability.append(max(least, Float(probability)))
    expectedCount.append(max(least, Float(expected)))
  }
}
