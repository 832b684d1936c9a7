import LMDB
import StorageBase

/// Which commit last changed each block of a table: pages of generations, one a block, and a summary
/// of their maxima, one a page. Whoever looks for the blocks changed after a generation reads the
/// summary, which is small, and then only pages and blocks that changed.
///
/// No row of a block has a later generation than the block; a row that moved there may have an
/// earlier one.
struct ChangeIndex {
  let storage: TableStorage

  // MARK: Writing

  /// Takes down that the commit `generation`, the newest, changes blocks.
  ///
  /// - Parameter blocks: rising, and apart from each other.
  func note(
    _ blocks: [Range<UInt64>], generation: UInt64, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    try set(.changeTags, blocks, to: generation, in: transaction)
    let count = UInt64(ChangePage.count)
    let pages = blocks.map { $0.lowerBound / count..<($0.upperBound - 1) / count + 1 }
    // The newest generation is the greatest of any page.
    try set(.changeSummary, pages.merged(), to: generation, in: transaction)
  }

  private func set(
    _ region: StateRegion, _ ranges: [Range<UInt64>], to generation: UInt64,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    let count = UInt64(ChangePage.count)
    var page = ChangePage()
    var number: UInt64?
    for range in ranges {
      var start = range.lowerBound
      while start < range.upperBound {
        if number != start / count {
          if let number { try put(page, region, number, in: transaction) }
          number = start / count
          page = try self.page(region, start / count, in: transaction) ?? ChangePage()
        }
        let end = min(range.upperBound, (start / count + 1) * count)
        let first = Int(start % count)
        page.set(first..<first + Int(end - start), to: generation)
        start = end
      }
    }
    if let number { try put(page, region, number, in: transaction) }
  }

  /// Takes away what is said of blocks behind the end of a table that shrinks.
  func truncate(
    toBlocks count: UInt64, from oldCount: UInt64, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    guard count < oldCount else { return }
    func pages(_ entries: UInt64) -> UInt64 {
      (entries + UInt64(ChangePage.count) - 1) / UInt64(ChangePage.count)
    }
    try cut(.changeTags, to: count, from: oldCount, in: transaction)
    try cut(.changeSummary, to: pages(count), from: pages(oldCount), in: transaction)
  }

  private func cut(
    _ region: StateRegion, to count: UInt64, from oldCount: UInt64,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    guard count < oldCount else { return }
    let size = UInt64(ChangePage.count)
    var next = count / size
    if count % size != 0 {
      if var page = try page(region, next, in: transaction) {
        page.set(Int(count % size)..<ChangePage.count, to: 0)
        try put(page, region, next, in: transaction)
      }
      next += 1
    }
    while next * size < oldCount {
      try transaction.delete(region.key(next), in: storage.state)
      next += 1
    }
  }

  private func put(
    _ page: ChangePage, _ region: StateRegion, _ number: UInt64,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    var page = page
    let key = region.key(number)
    try page.withSealedBytes(key: key) { (bytes) throws(EmbeddingError) in
      try transaction.put(key, bytes, in: storage.state)
    }
  }

  // MARK: Reading

  /// A page, or nil where nothing was ever noted there.
  func page<T: ReadableTransaction & ~Copyable>(
    _ region: StateRegion, _ number: UInt64, in transaction: borrowing T
  ) throws(EmbeddingError) -> ChangePage? {
    let key = region.key(number)
    guard let value = try transaction.get(key, in: storage.state) else { return nil }
    guard let page = ChangePage(value, key: key) else {
      throw storage.corruption("page \(number) of the change index does not match its checksum")
    }
    return page
  }

  /// Calls `body` with the number of every block that was changed after `generation`, rising.
  func forEachBlock<T: ReadableTransaction & ~Copyable>(
    changedAfter generation: UInt64, in transaction: borrowing T,
    _ body: (_ number: UInt64) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    let count = UInt64(ChangePage.count)
    var summaryNumber: UInt64 = 0
    while let summary = try page(.changeSummary, summaryNumber, in: transaction) {
      for i in 0..<ChangePage.count where summary[i] > generation {
        let number = summaryNumber * count + UInt64(i)
        guard let tags = try page(.changeTags, number, in: transaction) else {
          throw storage.corruption("page \(number) of the change index is missing")
        }
        for k in 0..<ChangePage.count where tags[k] > generation {
          try body(number * count + UInt64(k))
        }
      }
      summaryNumber += 1
    }
  }
}

extension [Range<UInt64>] {
  /// The same numbers in rising ranges that do not touch each other.
  func merged() -> Self {
    var result: Self = []
    for range in sorted(by: { $0.lowerBound < $1.lowerBound }) where !range.isEmpty {
      if let last = result.last, range.lowerBound <= last.upperBound {
        let end = Swift.max(last.upperBound, range.upperBound)
        result[result.count - 1] = last.lowerBound..<end
      } else {
        result.append(range)
      }
    }
    return result
  }
}
