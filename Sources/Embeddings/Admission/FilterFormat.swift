import StorageBase

/// How a filter's state is divided into partitions: runs of *places*.
///
/// A place is a number of 56 bits, in whose order everything stands. In a Bloom filter it is stripe
/// (6 bits), layer (6) and block (44); a partition is up to 32 KiB of blocks. In an exact counter
/// it is the high 56 bits of the hash; a partition goes to the next one's first place, or to the
/// end of the stripe, and is divided when it has more than 32 KiB.
struct FilterFormat: Equatable, Sendable {
  let isExact: Bool
  /// Where counts saturate.
  let maximum: UInt32
  /// The layers of a Bloom filter.
  let shapes: [LayerShape]

  static let endPlace: UInt64 = 1 << 56
  static let partitionBytes = 32 << 10
  private static let stripeShift: UInt64 = 50
  private static let layerShift: UInt64 = 44

  /// Keys of the tree: partitions by their first places, then the record of the filter, then the
  /// journal.
  static func partitionKey(_ place: UInt64) -> UInt64 { 0x10 << 56 | place }
  static let recordKey: UInt64 = 0x11 << 56
  static let lastJournalKey: UInt64 = 0x12 << 56 - 1
  static let partitionKeys = partitionKey(0)..<recordKey

  static func place(ofKey key: UInt64) -> UInt64 { key & (endPlace - 1) }

  // MARK: Places

  func place(_ entry: JournalEntry) -> UInt64 {
    isExact ? entry.hash >> 8 : place(entry.hash, layer: entry.layer)
  }

  private func place(_ hash: UInt64, layer: Int) -> UInt64 {
    Self.place(
      stripe: FilterStripe.number(hash), layer: layer, block: shapes[layer].place(hash).block)
  }

  private static func place(stripe: Int, layer: Int, block: Int) -> UInt64 {
    UInt64(stripe) << stripeShift | UInt64(layer) << layerShift | UInt64(block)
  }

  /// The first place of a stripe.
  static func place(stripe: Int) -> UInt64 { place(stripe: stripe, layer: 0, block: 0) }

  /// Whether an entry is one that this filter may have.
  func isValid(_ entry: JournalEntry) -> Bool {
    isExact
      ? (1...maximum).contains(entry.times)
      : entry.layer < shapes.count && (1...maximum).contains(entry.layerTimes)
  }

  // MARK: Partitions of a Bloom filter

  struct Blocks: Equatable {
    let stripe: Int
    let layer: Int
    /// The first of the blocks.
    let first: Int
    let count: Int
  }

  static func blocksInPartition(_ shape: LayerShape) -> Int { partitionBytes / shape.blockBytes }

  /// The blocks of the partition that begins at a place; nil where none does.
  func blocks(at place: UInt64) -> Blocks? {
    let layer = Int(place >> Self.layerShift) & 63
    let first = Int(place & (1 << Self.layerShift - 1))
    guard place < Self.endPlace, layer < shapes.count, first < shapes[layer].blocks else {
      return nil
    }
    let size = Self.blocksInPartition(shapes[layer])
    guard first % size == 0 else { return nil }
    return Blocks(
      stripe: Int(place >> Self.stripeShift), layer: layer, first: first,
      count: min(size, shapes[layer].blocks - first))
  }

  /// The first place of the partition after one; the end after the last.
  func place(after blocks: Blocks) -> UInt64 {
    var (stripe, layer, first) = (blocks.stripe, blocks.layer, blocks.first + blocks.count)
    if first == shapes[layer].blocks { (layer, first) = (layer + 1, 0) }
    if layer == shapes.count { (stripe, layer) = (stripe + 1, 0) }
    return Self.place(stripe: stripe, layer: layer, block: first)
  }

  static func stripe(ofPlace place: UInt64) -> Int { Int(place >> stripeShift) }

  /// The size of the partitions, for a place in a layer.
  func blocksInPartition(at place: UInt64) -> UInt64 {
    UInt64(Self.blocksInPartition(shapes[Int(place >> Self.layerShift) & 63]))
  }

  /// Whether a place is in the first layer: every stripe has that from the beginning.
  static func isInFirstLayer(_ place: UInt64) -> Bool { (place >> layerShift) & 63 == 0 }

  /// Bytes of all blocks of a Bloom filter.
  var cellBytes: Int { shapes.reduce(0) { $0 + $1.stripeBytes * FilterStripe.count } }
}

/// A hash and its count, in a partition of an exact counter.
struct CountEntry: Equatable, Sendable {
  var hash: UInt64
  var count: UInt32
  var place: UInt64 { hash >> 8 }
  static let stride = 12
}

func corruptFilter(_ what: String) -> EmbeddingError {
  EmbeddingError(
    .corruption,
    "The admission filter of the table is damaged: \(what). Its rows can be read. Restore a copy of "
      + "the database, or empty the filter (resetAdmissionFilter(), 'embstore reset-filter'): ids "
      + "without a row are then counted anew.")
}
