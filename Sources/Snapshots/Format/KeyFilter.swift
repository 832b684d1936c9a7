import StorageBase

/// A Bloom filter of keys in lines of 64 bytes, one bit in each of the 8 words of a line: one key
/// touches one cache line (the split block Bloom filter of Apache Parquet, at twice its width).
struct KeyFilter: Sendable {
  private(set) var words: [UInt64]
  private let lines: UInt64

  private static let salts: [UInt32] = [
    0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947,
    0x5c6b_fb31,
  ]

  /// The lines of a filter for `count` keys.
  static func lineCount(_ count: Int) -> Int {
    max(1, (count * Defaults.filterBitsPerKey + 511) / 512)
  }

  /// A filter of `keys`.
  init(_ keys: [UInt64]) {
    let lines = Self.lineCount(keys.count)
    self.lines = UInt64(lines)
    words = [UInt64](repeating: 0, count: 8 * lines)
    for key in keys {
      let (line, probe) = place(key)
      for i in 0..<8 { words[line + i] |= Self.bit(probe, i) }
    }
  }

  /// A filter read back; 8 words a line, at least one line.
  init(words: [UInt64]) {
    self.words = words
    lines = UInt64(words.count / 8)
  }

  /// False only if no key of the filter is `key`.
  func mayContain(_ key: UInt64) -> Bool {
    let (line, probe) = place(key)
    var isMissing = false
    for i in 0..<8 where words[line + i] & Self.bit(probe, i) == 0 { isMissing = true }
    return !isMissing
  }

  /// The first word of the key's line, and what its bits follow from.
  @inline(__always)
  private func place(_ key: UInt64) -> (line: Int, probe: UInt32) {
    let hash = mix64(key)
    return (8 * Int(((hash >> 32) &* lines) >> 32), UInt32(truncatingIfNeeded: hash))
  }

  @inline(__always)
  private static func bit(_ probe: UInt32, _ i: Int) -> UInt64 {
    1 << UInt64((probe &* salts[i]) >> 26)
  }
}
