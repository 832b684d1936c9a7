package import StorageBase

/// The rows of a table by falling frequency, rows of the same frequency by row number.
///
/// It takes 8 bytes a row: the row of each rank, and the rank of each row, without which a positive
/// would not have the probability with which it is drawn. Building it takes one pass over the
/// blocks' frequencies and a counting sort, with 2 more bytes a row for the while, and 16 for each
/// row whose frequency is 65,535 or more.
package struct RankOrder: Sendable {
  private let rowOfRank: [UInt32]
  private let rankOfRow: [UInt32]
  /// The sum of the frequencies it was built from.
  package let totalFrequency: UInt64
  package let distribution: LogUniform

  /// Reads every block of `source`, which must not be empty.
  package init<Source: SamplingSource & ~Copyable & ~Escapable>(
    of source: borrowing Source
  ) throws(EmbeddingError) {
    let count = source.count
    guard count <= 1 << 32 else {
      throw EmbeddingError(
        .invalidArgument,
        "Log-uniform sampling ranks at most 2^32 rows; this table has \(count)."
          + " Sample by unigram instead.")
    }
    let cap = UInt16.max
    var keys: [UInt16] = []
    keys.reserveCapacity(count)
    var large: [(frequency: UInt64, row: UInt32)] = []
    var histogram = [Int](repeating: 0, count: Int(cap) + 1)
    var frequencies: [UInt64] = []
    for block in 0..<source.blockCount {
      try source.readBlock(block, into: &frequencies)
      for frequency in frequencies {
        let key = UInt16(clamping: frequency)
        if key == cap { large.append((frequency, UInt32(keys.count))) }
        histogram[Int(key)] += 1
        keys.append(key)
      }
    }

    // The first rank of each key; the highest key comes first.
    var next = [Int](repeating: 0, count: histogram.count)
    for key in (0..<Int(cap)).reversed() { next[key] = next[key + 1] + histogram[key + 1] }
    large.sort { $0.frequency != $1.frequency ? $0.frequency > $1.frequency : $0.row < $1.row }
    var rowOfRank = [UInt32](repeating: 0, count: count)
    var rankOfRow = rowOfRank
    for (rank, entry) in large.enumerated() {
      rowOfRank[rank] = entry.row
      rankOfRow[Int(entry.row)] = UInt32(rank)
    }
    for (row, key) in keys.enumerated() where key != cap {
      let rank = next[Int(key)]
      next[Int(key)] += 1
      rowOfRank[rank] = UInt32(row)
      rankOfRow[row] = UInt32(rank)
    }
    self.rowOfRank = rowOfRank
    self.rankOfRow = rankOfRow
    totalFrequency = source.totalFrequency
    distribution = LogUniform(range: count)
  }

  /// The number of rows ranked.
  package var count: Int { rowOfRank.count }

  /// The row of rank `rank`.
  package func row(atRank rank: Int) -> Int { Int(rowOfRank[rank]) }

  /// The rank of row `row`; nil if the row came after the order was built.
  package func rank(ofRow row: Int) -> Int? {
    row < rankOfRow.count ? Int(rankOfRow[row]) : nil
  }

  /// Whether the order no longer fits a table of `count` rows and this sum of frequencies: rows
  /// went away, or the number of rows or the sum has changed by more than `tolerance` (0.1 is 10 %).
  package func isStale(count: Int, totalFrequency: UInt64, tolerance: Double) -> Bool {
    func hasMoved(_ old: Double, _ new: Double) -> Bool { abs(new - old) > tolerance * old }
    return count < self.count || hasMoved(Double(self.count), Double(count))
      || hasMoved(Double(self.totalFrequency), Double(totalFrequency))
  }
}
