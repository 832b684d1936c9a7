import LMDB
import StorageBase
import Synchronization

/// How ids come by rows of their own in a table that does not give one to each: what is configured,
/// the filter, and what became of the ids so far.
///
/// An id without a row is *counted* by the filter at each sighting. Once it was seen often enough it
/// is *admitted*: it gets a row, in a table with a cutoff *on probation* in memory, until it was seen
/// often enough to be *promoted*. (The paper, section 3.2.2, names both means; which one a table
/// uses, or both, is its configuration.)
final class TableAdmission: Sendable {
  /// The frequency at which rows on probation are promoted; 0 where there is no probation.
  let cutoff: UInt64
  /// How many rows the ids without one share; 0 where they share none.
  let sharedRows: UInt64
  /// What decides about admission.
  private let rule: Admission
  private let storage: TableStorage
  private let made = Mutex<AdmissionFilter?>(nil)
  /// What became of ids before the cache began to count, such as before the table was opened.
  private let lifeBefore: Mutex<LifeCounts>

  /// Nil for a table in which every id gets a row.
  init?(_ record: TableRecord, storage: TableStorage) {
    let configuration = record.configuration
    guard configuration.admitsOnlySome else { return nil }
    rule = configuration.effectiveAdmission
    cutoff = configuration.sharedRows > 0 || configuration.cutoff < 2 ? 0 : configuration.cutoff
    sharedRows = UInt64(configuration.sharedRows)
    lifeBefore = Mutex(record.life)
    self.storage = storage
  }

  /// The filter, nil where the rule needs none; read from the last commit when it is first asked for.
  func filter(in environment: Environment) throws(EmbeddingError) -> AdmissionFilter? {
    try made.withLock { (made) throws(EmbeddingError) in
      if let made { return made }
      let filter = try environment.read { (transaction) throws(EmbeddingError) in
        try AdmissionFilter(load: rule, from: storage.state, in: transaction)
      }
      made = filter
      return filter
    }
  }

  /// The filter as it is in a commit; nil where the rule needs none. It takes its memory once more.
  func committedFilter(
    in transaction: borrowing ReadTransaction
  ) throws(EmbeddingError) -> AdmissionFilter? {
    try AdmissionFilter(load: rule, from: storage.state, in: transaction)
  }

  /// The filter, if anybody has asked for it.
  var loadedFilter: AdmissionFilter? { made.withLock { $0 } }

  /// Lets the filter in memory go; the stored one is loaded when it is next asked for. Nobody is at
  /// work.
  func dropFilter() { made.withLock { $0 = nil } }

  /// Takes over that a transaction replaced the stored filter, and that `life` became of ids. Nobody is
  /// at work, and nothing waits for a commit.
  func takeOver(_ life: LifeCounts, cache: RowCache) {
    dropFilter()
    lifeBefore.withLock { $0 = life - cache.life }
  }

  /// Whether an id without a row gets one.
  ///
  /// - Parameters:
  ///   - before: what the filter had counted of it.
  ///   - sightings: how often the batch at hand counts.
  ///   - draw: what makes one chance differ from the next, where chance decides.
  func admits(_ hash: UInt64, before: UInt32, sightings: UInt32, draw: UInt64) -> Bool {
    switch rule {
    case .none: true
    case .probabilistic(let threshold):
      ProbabilisticAdmission(threshold: threshold).admits(hash, times: sightings, draw: draw)
    case .bloomFilter, .countingBloomFilter, .counter:
      UInt64(before) + UInt64(sightings) >= UInt64(rule.threshold)
    }
  }

  /// The shared row of an id without a row of its own.
  @inline(__always)
  func sharedRow(of hash: UInt64) -> Int64 { Int64(hash % sharedRows) }

  /// What became of ids so far; exact while no batch is at work.
  func life(in cache: RowCache) -> LifeCounts {
    var life = lifeBefore.withLock { $0 } + cache.life
    life.onProbation = UInt64(cache.probationCount)
    return life
  }
}

extension TableConfiguration {
  /// Whether an id has to earn its row.
  public var admitsOnlySome: Bool { admission != .none || cutoff > 1 }

  /// What a batch counts as that does not say.
  var defaultCounting: FrequencyCounting {
    counting != .automatic ? counting : admitsOnlySome ? .occurrences : .updates
  }

  /// What the table of its shared rows is; nil where it has none.
  var ofSharedRows: TableConfiguration? {
    guard sharedRows > 0 else { return nil }
    // Of another seed, so that shared row 7 does not start like id 7.
    return TableConfiguration(
      dimension: dimension, idType: .int64, initializer: initializer, seed: seed &+ 1,
      optimizer: optimizer)
  }

  /// The rule that decides about rows: with shared rows there is no probation, and the filter counts
  /// up to the cutoff as well.
  var effectiveAdmission: Admission {
    guard sharedRows > 0, cutoff > 1 else { return admission }
    let cutoff = Int(clamping: cutoff)
    return switch admission {
    case .none: .counter(threshold: cutoff)
    case .counter(let threshold): .counter(threshold: max(threshold, cutoff))
    case .bloomFilter(let ids, let rate):
      .countingBloomFilter(threshold: max(2, cutoff), expectedIDs: ids, falsePositiveRate: rate)
    case .countingBloomFilter(let threshold, let ids, let rate):
      .countingBloomFilter(
        threshold: max(threshold, cutoff), expectedIDs: ids, falsePositiveRate: rate)
    case .probabilistic: admission
    }
  }

  func validateAdmission() throws(EmbeddingError) {
    try admission.validate()
    guard cutoff <= UInt64(UInt32.max) else {
      throw EmbeddingError(.invalidConfiguration, "The cutoff is \(cutoff), more than 2^32 - 1.")
    }
    guard sharedRows >= 0 else {
      throw EmbeddingError(.invalidConfiguration, "There cannot be \(sharedRows) shared rows.")
    }
    if sharedRows > 0 {
      guard admitsOnlySome else {
        throw EmbeddingError(
          .invalidConfiguration,
          "Shared rows are for ids without a row of their own, but every id gets one. Set a cutoff or "
            + "an admission filter, or no shared rows.")
      }
      if case .probabilistic = admission, cutoff > 1 {
        throw EmbeddingError(
          .invalidConfiguration,
          "With shared rows the admission filter counts up to the cutoff, but probabilistic admission "
            + "counts nothing. Leave the cutoff out, or take another filter.")
      }
      try effectiveAdmission.validate()
    }
  }
}
