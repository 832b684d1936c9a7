/// One change of a filter's state: an id was seen. 12 bytes, in memory and on disk.
struct JournalEntry: Equatable, Sendable {
  private let low: UInt32
  private let high: UInt32
  /// The layer in the highest byte, for Bloom filters; the sightings in the others.
  private let detail: UInt32

  static let stride = 12

  var hash: UInt64 { UInt64(high) << 32 | UInt64(low) }

  /// - Parameter detail: as `FilterKind.detail` puts it together.
  init(hash: UInt64, detail: UInt32) {
    low = UInt32(truncatingIfNeeded: hash)
    high = UInt32(truncatingIfNeeded: hash >> 32)
    self.detail = detail
  }

  /// Of a Bloom filter.
  init(hash: UInt64, layer: Int, times: UInt32) {
    self.init(hash: hash, detail: UInt32(layer) << 24 | times)
  }

  var layer: Int { Int(detail >> 24) }
  /// The sightings, in a Bloom filter's entry.
  var layerTimes: UInt32 { detail & 0xff_ffff }
  /// The sightings, in an exact counter's entry.
  var times: UInt32 { detail }
}

/// One of the 64 parts of a filter, by the highest bits of the hash: the exact counts, and the
/// journal of what changed since the last commit. Touched under one lock, whatever the number of
/// the cache's shards.
struct FilterStripe {
  static let count = 64

  @inline(__always)
  static func number(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash &>> 58) }

  /// The exact counts; nil in a Bloom filter.
  var table: CountTable?
  var counts = FilterCounts()
  /// Changes since a commit was last asked for; those that wait for their commit; those that the
  /// commit under way writes.
  var journal: [JournalEntry] = []
  var waiting: [JournalEntry] = []
  var running: [JournalEntry] = []

  /// Puts the journal behind what waits.
  mutating func fix() { Self.append(&journal, to: &waiting) }

  mutating func unfix() { Self.prepend(&waiting, to: &journal) }

  mutating func beginCommit() { swap(&running, &waiting) }

  /// Puts what the commit wrote in front again.
  mutating func abandonCommit(isWaiting: Bool) {
    if isWaiting {
      Self.prepend(&running, to: &waiting)
    } else {
      Self.prepend(&running, to: &journal)
    }
  }

  /// In constant time where one of them is empty.
  private static func append(_ new: inout [JournalEntry], to old: inout [JournalEntry]) {
    if old.isEmpty { swap(&old, &new) } else { old.append(contentsOf: new) }
    new = []
  }

  private static func prepend(_ old: inout [JournalEntry], to new: inout [JournalEntry]) {
    append(&new, to: &old)
    swap(&new, &old)
  }
}
