import Embeddings

/// Which ids get a row, and what the others read and train: one configuration to be compared.
struct Variant: Sendable, Hashable {
  /// Who counts the ids that have no row.
  enum Filter: String, Sendable {
    case none, bloom, counting, counter, probabilistic
  }

  var filter = Filter.none
  /// The sighting on which the filter admits an id.
  var threshold = 1
  /// The frequency from which on a row is written; 0 for every row.
  var cutoff = 0
  /// Shared rows, in hundredths of the number of distinct ids; 0 for no sharing.
  var sharedPercent = 0

  /// Such as `cutoff 5, 5 % shared`.
  var name: String {
    var parts: [String] = []
    switch filter {
    case .none: if cutoff == 0 { parts.append("no filter") }
    case .bloom: parts.append("Bloom")
    case .counting: parts.append("counting Bloom \(threshold)")
    case .counter: parts.append(threshold == Self.never ? "no rows" : "counter \(threshold)")
    case .probabilistic: parts.append("probabilistic \(threshold)")
    }
    if cutoff > 0 { parts.append("cutoff \(cutoff)") }
    return parts.joined(separator: " + ") + (sharedPercent > 0 ? ", \(sharedPercent) % shared" : "")
  }

  /// The shared rows of a table to which `ids` distinct ids will come.
  func sharedRows(ids: Int) -> Int {
    sharedPercent == 0 ? 0 : max(1, (ids * sharedPercent + 50) / 100)
  }

  /// A threshold that no id reaches.
  static let never = 1_000_000_000

  /// What is compared: each filter and cutoff with and without shared rows, some numbers of shared
  /// rows, and two ends of the scale: no id has a row of its own, without and with shared rows. The
  /// latter is the hashing trick.
  ///
  /// An exact counter with shared rows is left out: it is what a cutoff with shared rows is.
  static var all: [Variant] {
    var variants = main
    for percent in [0, 5] {
      for filter in [Filter.counter, .probabilistic] where filter != .counter || percent == 0 {
        variants += [2, 5, 10].map {
          Variant(filter: filter, threshold: $0, sharedPercent: percent)
        }
      }
      variants.append(Variant(filter: .bloom, threshold: 2, cutoff: 5, sharedPercent: percent))
    }
    variants += [1, 10].map { Variant(cutoff: 10, sharedPercent: $0) }
    variants += [1, 10].map {
      Variant(filter: .counter, threshold: never, sharedPercent: $0)
    }
    return variants
  }

  /// The most telling ones, for models that take long.
  static var main: [Variant] {
    var variants = [Variant()]
    for percent in [0, 5] {
      variants += [2, 5, 10].map { Variant(cutoff: $0, sharedPercent: percent) }
      variants.append(Variant(filter: .bloom, threshold: 2, sharedPercent: percent))
      variants += [2, 5, 10].map {
        Variant(filter: .counting, threshold: $0, sharedPercent: percent)
      }
      variants.append(Variant(filter: .counter, threshold: never, sharedPercent: percent))
    }
    return variants + [1, 10].map { Variant(cutoff: 5, sharedPercent: $0) }
  }
}

extension Variant {
  /// A table's configuration with this variant's ways; for filters that are sized in advance, `ids` is
  /// the number of ids that will come.
  func applied(to plain: TableConfiguration, ids: Int) -> TableConfiguration {
    var configuration = plain
    configuration.admission =
      switch filter {
      case .none: .none
      case .bloom: .bloomFilter(expectedIDs: ids, falsePositiveRate: 0.01)
      case .counting:
        .countingBloomFilter(threshold: threshold, expectedIDs: ids, falsePositiveRate: 0.01)
      case .counter: .counter(threshold: threshold)
      case .probabilistic: .probabilistic(threshold: threshold)
      }
    configuration.cutoff = UInt64(cutoff)
    configuration.sharedRows = sharedRows(ids: ids)
    return configuration
  }
}
