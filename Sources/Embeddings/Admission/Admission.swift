public import StorageBase

/// Which ids a table gives a row: those seen often enough.
///
/// Most ids of a stream are seen once or twice. An id that an update names, and that has no row
/// yet, is counted; it gets a row when its sightings, with those of this batch, reach the
/// threshold. Before that a lookup gives its initial vector, and its gradients are dropped.
///
/// **What counts as a sighting**: an id counts as often as it occurs in a batch, so that two
/// occurrences in one batch reach a threshold of 2. That is what DeepRec does: `embedding_lookup`
/// passes the counts of `unique_with_counts` on, and its filters admit where
/// `frequency + count >= filter_freq` (`LookupOrCreateKey` in `counter_filter_policy.h` and
/// `bloom_filter_policy.h`).
///
/// **Memory**: ``counter(threshold:)`` takes 16 to 24 bytes for each id ever seen. The Bloom
/// filters take memory for the ids expected, at a rate of 0.01 about 1.5 bytes an id for
/// ``bloomFilter(expectedIDs:falsePositiveRate:)``, and for counters of 4 bits (thresholds to 15)
/// about 7, of 8 bits (to 255) about 16, of 16 bits about 32: with thresholds above 255 the exact
/// counter is the smaller one. ``probabilistic(threshold:)`` takes none. Every id that was counted
/// adds 12 bytes until the next commit has ended.
///
///     let admission: Admission = .countingBloomFilter(threshold: 3, expectedIDs: 10_000_000)
public enum Admission: Sendable, Hashable {
  /// Every id gets a row with its first update.
  case none

  /// Admits on the second sighting: a Bloom filter remembers the first.
  ///
  /// `falsePositiveRate` is the share of ids that are admitted on their first sighting, when
  /// `expectedIDs` distinct ids were seen. When more come, the filter grows in layers (Almeida,
  /// Baquero, Preguica, Hutchison: *Scalable Bloom Filters*, 2007), and keeps to the rate.
  case bloomFilter(expectedIDs: Int, falsePositiveRate: Double)

  /// Admits on sighting number `threshold` (1 to 65,535): a Bloom filter of counters that saturate
  /// there (Fan, Cao, Almeida, Broder: *Summary Cache*, 2000; DeepRec's `CBFFilter`).
  ///
  /// An id's count is the least of its counters, and only those that are the least are raised
  /// (Estan, Varghese: *New Directions in Traffic Measurement and Accounting*, 2002, "conservative
  /// update"): never below the truth. `falsePositiveRate` bounds the share of ids whose count is
  /// above it, and with that of ids admitted early. Grows as
  /// ``bloomFilter(expectedIDs:falsePositiveRate:)`` does.
  case countingBloomFilter(threshold: Int, expectedIDs: Int, falsePositiveRate: Double)

  /// Admits on sighting number `threshold`, exactly: keeps the count of every id ever seen,
  /// admitted or not (DeepRec's `CounterFilter`).
  case counter(threshold: Int)

  /// Admits by chance, and remembers nothing: an id that occurs `c` times in a batch with
  /// probability `1 - (1-p)^c`, `p = 1 - 0.05^(1/threshold)`, so that 95 of 100 ids have a row
  /// after `threshold` sightings (Monolith's `ProbabilisticFilter`, with equal probabilities).
  case probabilistic(threshold: Int)

  /// ``bloomFilter(expectedIDs:falsePositiveRate:)`` with the rate 0.01.
  public static func bloomFilter(expectedIDs: Int) -> Admission {
    .bloomFilter(expectedIDs: expectedIDs, falsePositiveRate: 0.01)
  }

  /// ``countingBloomFilter(threshold:expectedIDs:falsePositiveRate:)`` with the rate 0.01.
  public static func countingBloomFilter(threshold: Int, expectedIDs: Int) -> Admission {
    .countingBloomFilter(threshold: threshold, expectedIDs: expectedIDs, falsePositiveRate: 0.01)
  }

  /// The sighting on which an id is admitted: 1 without a filter. For ``probabilistic(threshold:)``
  /// the sighting by which 95 of 100 are.
  public var threshold: Int {
    switch self {
    case .none: 1
    case .bloomFilter: 2
    case .countingBloomFilter(let threshold, _, _), .counter(let threshold),
      .probabilistic(let threshold):
      threshold
    }
  }

  /// The number of ids that a Bloom filter is made for; nil for other kinds.
  public var expectedIDs: Int? {
    switch self {
    case .bloomFilter(let ids, _), .countingBloomFilter(_, let ids, _): ids
    case .none, .counter, .probabilistic: nil
    }
  }

  /// Throws ``EmbeddingError/Code/invalidConfiguration`` for a value that cannot be used.
  public func validate() throws(EmbeddingError) {
    let highest: Int
    if case .countingBloomFilter = self {
      highest = Self.highestCellCount
    } else {
      highest = Int(UInt32.max)
    }
    guard (1...highest).contains(threshold) else {
      throw EmbeddingError(
        .invalidConfiguration,
        "threshold of the admission \(name) is \(threshold); it must be 1 to \(highest).")
    }
    switch self {
    case .bloomFilter(let expected, let rate), .countingBloomFilter(_, let expected, let rate):
      guard (1...Self.mostExpectedIDs).contains(expected) else {
        throw EmbeddingError(
          .invalidConfiguration,
          "expectedIDs of the admission \(name) is \(expected); it must be 1 to "
            + "\(Self.mostExpectedIDs).")
      }
      guard (1e-6...0.5).contains(rate) else {
        throw EmbeddingError(
          .invalidConfiguration,
          "falsePositiveRate of the admission \(name) is \(rate); it must be 0.000001 to 0.5.")
      }
    case .none, .counter, .probabilistic: break
    }
  }

  static let highestCellCount = 65_535
  static let mostExpectedIDs = 1 << 36
}
