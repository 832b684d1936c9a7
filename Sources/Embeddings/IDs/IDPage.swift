import CKernels
import StorageBase

/// A value in the id tree of a table with Int64 ids: up to 254 of them with their row numbers, in the
/// order of the tree.
///
///     +----------+---------+---------+
///     | checksum | keys    | rows    |
///     | u64      | u64 [n] | u64 [n] |
///     +----------+---------+---------+
///
/// It stands under a key that none of its own exceeds and that all keys of later pages do: the first
/// page whose key is not below that of an id is the only one that can have it. The checksum is the
/// XXH3 of what follows it, seeded with the page's key; it is compared when the page is checked or
/// changed, not when an id is looked for.
///
/// A full page fills an overflow page of LMDB, and an id costs 16 bytes, where an LMDB entry of its own
/// costs 26; and LMDB is asked for a page at a time.
struct IDPage {
  private let value: UnsafeRawBufferPointer

  private static let headerSize = 8
  private static let idSize = 16
  /// The most ids of a page.
  static let capacity =
    (BlockLayout.pageSize - BlockLayout.pageHeaderSize - headerSize) / idSize

  /// The page that a value of the tree is; nil where its size says that it is none.
  init?(_ value: UnsafeRawBufferPointer) {
    guard value.count > Self.headerSize, (value.count - Self.headerSize) % Self.idSize == 0 else {
      return nil
    }
    self.value = value
  }

  /// The words of a page that is to stand under `pageKey`.
  static func encode(
    keys: ArraySlice<UInt64>, rows: ArraySlice<UInt64>, under pageKey: UInt64,
    to words: inout [UInt64]
  ) {
    words.removeAll(keepingCapacity: true)
    words.append(0)
    words.append(contentsOf: keys)
    words.append(contentsOf: rows)
    words[0] = words.withUnsafeBytes { IDPage.checksum($0, pageKey) }
  }

  private static func checksum(_ value: UnsafeRawBufferPointer, _ pageKey: UInt64) -> UInt64 {
    xxh3(UnsafeRawBufferPointer(rebasing: value[headerSize...]), seed: pageKey)
  }

  /// Whether it matches its checksum.
  func isIntact(under pageKey: UInt64) -> Bool {
    value.loadUnaligned(as: UInt64.self) == Self.checksum(value, pageKey)
  }

  var count: Int { (value.count - Self.headerSize) / Self.idSize }

  /// The tree key of an id; they rise.
  @inline(__always)
  func key(_ index: Int) -> UInt64 {
    value.loadUnaligned(fromByteOffset: Self.headerSize + 8 * index, as: UInt64.self)
  }

  /// The row number of an id, as it stands there: 8 bytes.
  @inline(__always)
  func row(_ index: Int) -> UnsafeRawBufferPointer {
    let start = Self.headerSize + 8 * (count + index)
    return UnsafeRawBufferPointer(rebasing: value[start..<start + 8])
  }

  /// The index of the first id whose key is `key` or more; `count` where there is none.
  ///
  /// Where keys are spread evenly it stands near where its value lies between the first and the last
  /// (interpolation search): the search begins there, in steps that double.
  func index(atOrAfter key: UInt64) -> Int {
    var (low, high) = (0, count)
    let guess = guess(key)
    var step = 1
    if self.key(guess) < key {
      low = guess + 1
      while low + step < high, self.key(low + step) < key {
        low += step + 1
        step *= 2
      }
      high = min(high, low + step)
    } else {
      high = guess
      while high - step >= low, self.key(high - step) >= key {
        high -= step
        step *= 2
      }
      low = max(low, high - step)
    }
    while low < high {
      let middle = (low + high) / 2
      if self.key(middle) < key { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// Where `key` stands if the keys are spread evenly.
  private func guess(_ key: UInt64) -> Int {
    let (first, last) = (self.key(0), self.key(count - 1))
    guard first < key else { return 0 }
    guard key < last else { return count - 1 }
    return Int(Double(key - first) / Double(last - first) * Double(count - 1))
  }

  /// Asks for what ``prefetch(_:)`` reads to be brought close.
  func prefetchEnds() {
    prefetch(word: 0)
    prefetch(word: count - 1)
  }

  /// Asks for what the search for `key` probably reads.
  func prefetch(_ key: UInt64) {
    let guess = guess(key)
    prefetch(word: guess)
    prefetch(word: count + guess)
  }

  private func prefetch(word: Int) {
    guard let start = value.baseAddress else { return }
    ck_prefetch(start + Self.headerSize + 8 * word)
  }

  /// The row number under a key, 8 bytes; nil where the page does not have it.
  func row(under key: UInt64) -> UnsafeRawBufferPointer? {
    let index = index(atOrAfter: key)
    return index < count && self.key(index) == key ? row(index) : nil
  }

  /// Appends all keys, and then all row numbers, to `words`.
  func append(to words: inout [UInt64]) {
    for word in 0..<2 * count {
      words.append(
        value.loadUnaligned(fromByteOffset: Self.headerSize + 8 * word, as: UInt64.self))
    }
  }
}
