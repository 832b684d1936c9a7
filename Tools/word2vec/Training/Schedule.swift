import Embeddings

/// Maps steps to batches, learning rates and random numbers. All of it is a function of the step
/// alone, so that a run that resumes at a committed step goes on exactly as if it had never stopped.
///
/// Step 1 is the counting pass (or, without one, the count of the first batch), step 2 the removal of
/// rare words; training batch `n`, counted from 0 over all epochs, is step `n + 3`. Before step 1, the
/// commit point's second number is how many batches have been counted.
struct Schedule: Sendable {
  static let counted: Int64 = 1
  static let pruned: Int64 = 2

  let parameters: Parameters
  let summary: CorpusSummary

  /// Training batches in all epochs.
  var batchCount: Int { summary.batches * parameters.epochs }

  func step(ofBatch number: Int) -> Int64 { Self.pruned + Int64(number) + 1 }

  /// Batches that are trained once `step` is complete.
  func batches(after step: Int64) -> Int { Int(step - Self.pruned) }

  /// Falls linearly with the batches done, as in gensim with the words done.
  func learningRate(ofBatch number: Int) -> Float {
    let progress = Float(Double(number) / Double(batchCount))
    let (first, last) = (parameters.learningRate, parameters.minimumLearningRate)
    return max(last, first - (first - last) * progress)
  }

  /// The random numbers of a batch: subsampling, windows and the choice of negatives.
  func generator(ofBatch number: Int) -> Generator {
    Generator(state: mix64(parameters.seed) ^ mix64(UInt64(number) &+ golden))
  }

  /// The round that batch `number` is in: rounds have a commit at their end and a pool of negatives
  /// drawn at their start.
  func round(ofBatch number: Int) -> Int { number / parameters.commitInterval }

  /// The batches of a round.
  func batches(ofRound round: Int) -> Range<Int> {
    let start = round * parameters.commitInterval
    return start..<min(start + parameters.commitInterval, batchCount)
  }

  /// The seed with which a round's negatives are drawn from the store.
  func poolSeed(ofRound round: Int) -> UInt64 {
    mix64(parameters.seed &+ golden) ^ mix64(UInt64(round) &+ 1)
  }
}

/// SplitMix64 (Steele, Lea, Flood, 2014).
struct Generator: Sendable {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= golden
    return mix64(state)
  }

  /// A multiple of 2^-53 in `0 ..< 1`.
  mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// An integer in `0 ..< bound`; off by less than bound/2^64 from all alike.
  mutating func next(below bound: Int) -> Int {
    Int(next().multipliedFullWidth(by: UInt64(bound)).high)
  }
}
