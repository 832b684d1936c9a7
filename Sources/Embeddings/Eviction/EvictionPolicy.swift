import StorageBase

/// An eviction that a database runs by itself, at commits of a table's steps.
///
///     var configuration = TableConfiguration(dimension: 64)
///     configuration.eviction = EvictionPolicy(
///       .olderThan(steps: 100_000).or(.seenFewerThan(2)), everySteps: 10_000)
///
/// It runs within ``EmbeddingDatabase/commit(step:wait:)``, where that step is `everySteps` or more
/// after the one at which it last ran (or the table got its first policy), in the transaction of the
/// commit: there is no state with the step and without the eviction, so that training that resumes
/// there is the same as training that went on. Such a commit runs alone: batches wait for it, whether
/// the caller does or not. It reads the metadata of all rows, and rewrites the blocks of those that
/// go. Tables that this process has not opened are left as they are.
public struct EvictionPolicy: Sendable, Hashable {
  /// Which rows go; nil for none, where frequencies are to decay and nothing else.
  public var rule: EvictionRule?
  /// Steps from one run to the next, 1 or more.
  public var everySteps: Int64
  /// What every row's frequency is multiplied with first, from 0 to 1; nil to leave it. See
  /// ``EmbeddingTable/decayFrequencies(by:)``. It rewrites the whole table.
  public var frequencyDecay: Double?

  /// Creates a policy.
  public init(_ rule: EvictionRule?, everySteps: Int64, frequencyDecay: Double? = nil) {
    self.rule = rule
    self.everySteps = everySteps
    self.frequencyDecay = frequencyDecay
  }

  func validate() throws(EmbeddingError) {
    guard everySteps > 0 else {
      throw EmbeddingError(
        .invalidConfiguration,
        "The eviction policy runs every \(everySteps) steps; it must be 1 or more.")
    }
    try rule?.validate()
    if let frequencyDecay { try FrequencyDecay.validate(frequencyDecay) }
  }
}

/// What a database keeps of a table's evictions, beside the policy.
struct EvictionCounters: Sendable, Hashable {
  /// The step at which the policy last ran, or was first set.
  var lastStep: Int64 = 0
  /// Rows evicted so far, by policies and by calls.
  var evicted: UInt64 = 0
}
