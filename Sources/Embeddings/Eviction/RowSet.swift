/// A set of row numbers of one table, a bit for each, in parts that are made when a row comes into
/// them: it takes rows in any order, as the id tree gives them, finds the n-th one, and is smaller
/// than a list wherever more than one row in 64 is in it. At most an eighth of a byte a row, 125 MB
/// for 10^9 rows.
struct RowSet {
  private static let bitsPerPart = 4096
  private static let wordsPerPart = bitsPerPart / 64

  /// The rows of the table: members are below it.
  let rowCount: UInt64
  /// The members.
  private(set) var count = 0
  /// Empty where a part has no members.
  private var parts: [[UInt64]]

  init(rowCount: UInt64) {
    self.rowCount = rowCount
    let perPart = UInt64(Self.bitsPerPart)
    parts = Array(repeating: [], count: Int((rowCount + perPart - 1) / perPart))
  }

  @inline(__always)
  private static func place(_ row: UInt64) -> (part: Int, word: Int, bit: UInt64) {
    (Int(row >> 12), Int(row >> 6 & 63), 1 << (row & 63))
  }

  /// Adds a row; false where it was there.
  @discardableResult
  mutating func insert(_ row: UInt64) -> Bool {
    let (part, word, bit) = Self.place(row)
    if parts[part].isEmpty { parts[part] = Array(repeating: 0, count: Self.wordsPerPart) }
    guard parts[part][word] & bit == 0 else { return false }
    parts[part][word] |= bit
    count += 1
    return true
  }

  func contains(_ row: UInt64) -> Bool {
    let (part, word, bit) = Self.place(row)
    return !parts[part].isEmpty && parts[part][word] & bit != 0
  }

  /// The least member that is `row` or more.
  func next(from row: UInt64) -> UInt64? {
    guard row < rowCount else { return nil }
    var (part, word, _) = Self.place(row)
    var mask = UInt64.max << (row & 63)
    while part < parts.count {
      if !parts[part].isEmpty {
        while word < Self.wordsPerPart {
          let bits = parts[part][word] & mask
          if bits != 0 {
            return UInt64(part) << 12 | UInt64(word) << 6 | UInt64(bits.trailingZeroBitCount)
          }
          word += 1
          mask = .max
        }
      }
      part += 1
      word = 0
      mask = .max
    }
    return nil
  }
}

extension RowSet {
  /// How many members there are before each part, to find the n-th one, and the number of one.
  struct Ranks {
    /// For each part, and the end.
    fileprivate let before: [UInt64]
  }

  func ranks() -> Ranks {
    var sum: UInt64 = 0
    var before: [UInt64] = [0]
    before.reserveCapacity(parts.count + 1)
    for part in parts {
      for word in part { sum += UInt64(word.nonzeroBitCount) }
      before.append(sum)
    }
    return Ranks(before: before)
  }

  /// The members below `row`.
  func rank(of row: UInt64, _ ranks: Ranks) -> UInt64 {
    guard row < rowCount else { return UInt64(count) }
    let (part, last, bit) = Self.place(row)
    var sum = ranks.before[part]
    guard !parts[part].isEmpty else { return sum }
    for word in 0..<last { sum += UInt64(parts[part][word].nonzeroBitCount) }
    return sum + UInt64((parts[part][last] & (bit - 1)).nonzeroBitCount)
  }

  /// The member below which there are `rank` others. There must be more than that.
  func member(_ rank: UInt64, _ ranks: Ranks) -> UInt64 {
    precondition(rank < UInt64(count), "the set has \(count) rows; row \(rank) was asked for")
    // The last part that has at most `rank` members before it, and so has this one.
    var (low, high) = (0, parts.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if ranks.before[middle] <= rank { low = middle } else { high = middle }
    }
    var left = Int(rank - ranks.before[low])
    for (word, bits) in parts[low].enumerated() {
      guard left >= bits.nonzeroBitCount else {
        var bits = bits
        for _ in 0..<left { bits &= bits - 1 }
        return UInt64(low) << 12 | UInt64(word) << 6 | UInt64(bits.trailingZeroBitCount)
      }
      left -= bits.nonzeroBitCount
    }
    preconditionFailure("the ranks are those of another set")
  }
}
