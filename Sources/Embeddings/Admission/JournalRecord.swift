import StorageBase

/// A stored part of the journal: entries by place, of equal places in the order in which they came.
///
///     +-------+------+-------+----------+----------------------------------+
///     | first | last | count | checksum | blocks: up to 340 entries of     |
///     | u64   | u64  | u64   | u64      | 12 bytes, then their checksum    |
///     +-------+------+-------+----------+----------------------------------+
///
/// `first` and `last` are the commits whose entries it has. Blocks have checksums of their own,
/// since a partition that is rewritten needs few of them. Lent from a transaction, valid as long as
/// its value.
struct JournalRecord {
  let first: UInt64
  let last: UInt64
  let count: Int
  private let bytes: UnsafeRawBufferPointer
  let key: UInt64
  private let format: FilterFormat

  private static let headerBytes = 32
  private static let blockEntries = 340
  private static let blockBytes = blockEntries * JournalEntry.stride + 8

  /// The most entries in one record: 4 MiB.
  static let mostEntries = 1024 * blockEntries
  /// The entries up to which the last record is written anew with those of the next commit: 16 KiB.
  static let smallEntries = 4 * blockEntries

  init(
    _ stored: UnsafeRawBufferPointer, key: UInt64, format: FilterFormat
  ) throws(EmbeddingError) {
    (bytes, self.key, self.format) = (stored, key, format)
    guard stored.count >= Self.headerBytes,
      xxh3(UnsafeRawBufferPointer(rebasing: stored[0..<24]), seed: key)
        == stored.loadUnaligned(fromByteOffset: 24, as: UInt64.self)
    else { throw corruptFilter("a record of its journal does not match its checksum") }
    first = stored.loadUnaligned(as: UInt64.self)
    last = stored.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
    count = Int(clamping: stored.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
    guard first <= last, (1...Self.mostEntries).contains(count),
      stored.count == Self.bytes(count)
    else { throw corruptFilter("a record of its journal contradicts itself") }
  }

  static func bytes(_ count: Int) -> Int {
    let blocks = (count + blockEntries - 1) / blockEntries
    return headerBytes + count * JournalEntry.stride + blocks * 8
  }

  static func encode(
    _ entries: ArraySlice<JournalEntry>, first: UInt64, last: UInt64, key: UInt64
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.bytes(entries.count))
    for number in [first, last, UInt64(entries.count)] {
      withUnsafeBytes(of: number) { bytes.append(contentsOf: $0) }
    }
    let checksum = bytes.withUnsafeBytes { xxh3($0, seed: key) }
    withUnsafeBytes(of: checksum) { bytes.append(contentsOf: $0) }
    var start = entries.startIndex
    var number: UInt64 = 1
    while start < entries.endIndex {
      let end = min(start + blockEntries, entries.endIndex)
      entries[start..<end].withUnsafeBytes { block in
        bytes.append(contentsOf: block)
        let checksum = xxh3(block, seed: key ^ number << 32)
        withUnsafeBytes(of: checksum) { bytes.append(contentsOf: $0) }
      }
      start = end
      number += 1
    }
    return bytes
  }

  private var blockCount: Int { (count + Self.blockEntries - 1) / Self.blockEntries }

  /// The entries of a block, checked.
  private func block(_ number: Int) throws(EmbeddingError) -> [JournalEntry] {
    let size = min(Self.blockEntries, count - number * Self.blockEntries)
    let start = Self.headerBytes + number * Self.blockBytes
    let end = start + size * JournalEntry.stride
    let block = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
    guard
      xxh3(block, seed: key ^ UInt64(number + 1) << 32)
        == bytes.loadUnaligned(fromByteOffset: end, as: UInt64.self)
    else { throw corruptFilter("a record of its journal does not match its checksum") }
    // Unsafe: entries are three UInt32 each, whatever their bits.
    let entries = [JournalEntry](unsafeUninitializedCapacity: size) { entries, count in
      UnsafeMutableRawBufferPointer(entries).copyMemory(from: block)
      count = size
    }
    for entry in entries where !format.isValid(entry) {
      throw corruptFilter("a record of its journal contradicts itself")
    }
    return entries
  }

  /// All entries.
  func entries() throws(EmbeddingError) -> [JournalEntry] {
    var all: [JournalEntry] = []
    all.reserveCapacity(count)
    for number in 0..<blockCount { all += try block(number) }
    return all
  }

  /// Appends the entries of a range of places.
  func append(
    _ range: Range<UInt64>, to gathered: inout GatheredEntries
  ) throws(EmbeddingError) {
    // The last block whose first place is below the range may hold its first entries.
    var (low, high) = (0, blockCount)
    while high - low > 1 {
      let middle = (low + high) / 2
      if format.place(try block(middle)[0]) < range.lowerBound {
        low = middle
      } else {
        high = middle
      }
    }
    for number in low..<blockCount {
      for entry in try block(number) {
        let place = format.place(entry)
        if place >= range.upperBound { return }
        if place >= range.lowerBound { gathered.append(entry, place: place, sequence: last) }
      }
    }
  }
}

/// Entries of several records, for a run of partitions.
struct GatheredEntries {
  private var keys: [KeyedIndex] = []
  private var entries: [JournalEntry] = []
  private var sequences: [UInt64] = []

  mutating func append(_ entry: JournalEntry, place: UInt64, sequence: UInt64) {
    keys.append(KeyedIndex(key: place, index: UInt32(entries.count)))
    entries.append(entry)
    sequences.append(sequence)
  }

  /// Sorts by place, keeping the order of equal places.
  mutating func sort() { radixSort(&keys) }

  /// The entries below `place` that come after commit `sequence`, from `position` on, which moves
  /// behind them.
  func entries(
    below place: UInt64, after sequence: UInt64, from position: inout Int
  ) -> [JournalEntry] {
    var found: [JournalEntry] = []
    while position < keys.count, keys[position].key < place {
      let index = Int(keys[position].index)
      if sequences[index] > sequence { found.append(entries[index]) }
      position += 1
    }
    return found
  }
}
