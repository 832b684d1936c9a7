import LMDB
import StorageBase

/// The check of what one table keeps for deltas: the change index, the log of commits, deleted ids.
struct HistoryCheck {
  private let storage: TableStorage
  private let record: TableRecord
  private let index: ChangeIndex
  private let blockCount: UInt64
  /// The page of tags that holds those of the blocks at hand.
  private var tags: (number: UInt64, page: ChangePage?)?

  init(_ storage: TableStorage, _ record: TableRecord) {
    self.storage = storage
    self.record = record
    index = ChangeIndex(storage: storage)
    blockCount = storage.layout.blockCount(rows: record.rowCount)
  }

  private func note(_ message: String, _ report: inout VerificationReport) {
    report.note(.history, storage.name, message)
  }

  /// Checks that a block with `count` rows has none that is newer than the index says. A page of
  /// tags that cannot be read is noted once.
  mutating func check(
    _ block: BlockView, rows count: Int, in transaction: borrowing ReadTransaction,
    _ report: inout VerificationReport
  ) {
    let (number, place) = block.number.quotientAndRemainder(
      dividingBy: UInt64(ChangePage.count))
    if tags?.number != number {
      do throws(EmbeddingError) {
        let page = try index.page(.changeTags, number, in: transaction)
        if page == nil { note("page \(number) of the change index is missing", &report) }
        tags = (number, page)
      } catch {
        note(error.message, &report)
        tags = (number, nil)
      }
    }
    guard let tag = tags?.page?[Int(place)] else { return }
    if tag == 0 || tag > record.history.generation {
      return note("block \(block.number) was changed by commit \(tag), which is none", &report)
    }
    if (0..<count).contains(where: { block.generation($0) > tag || block.generation($0) == 0 }) {
      note(
        "block \(block.number) has rows of other commits than the change index says", &report)
    }
  }

  /// Walks the whole tree.
  func run(in transaction: borrowing ReadTransaction, _ report: inout VerificationReport) {
    do throws(EmbeddingError) {
      try checkKeys(in: transaction, &report)
      try checkSummary(in: transaction, &report)
      try checkLog(in: transaction, &report)
    } catch {
      note(error.message, &report)
    }
  }

  private func pages(_ entries: UInt64) -> UInt64 {
    (entries + UInt64(ChangePage.count) - 1) / UInt64(ChangePage.count)
  }

  /// Checks that every key is one that somebody owns.
  private func checkKeys(
    in transaction: borrowing ReadTransaction, _ report: inout VerificationReport
  ) throws(EmbeddingError) {
    var strays = 0
    try transaction.withCursor(storage.state) { (cursor) throws(EmbeddingError) in
      while let (key, _) = try cursor.next() {
        switch StateRegion(ofKey: key) {
        case nil: strays += 1
        case .changeTags: if key >= pages(blockCount) { strays += 1 }
        case .changeSummary:
          if key >= StateRegion.changeSummary.key(pages(pages(blockCount))) { strays += 1 }
        default: break
        }
      }
    }
    if strays > 0 { note("\(strays) entries of tree \(storage.state.name) are stray", &report) }
  }

  /// Checks that no page of tags is newer than the summary says, and that none reaches behind the end.
  private func checkSummary(
    in transaction: borrowing ReadTransaction, _ report: inout VerificationReport
  ) throws(EmbeddingError) {
    let count = UInt64(ChangePage.count)
    for number in 0..<pages(blockCount) {
      // A page of tags that is damaged was noted with its blocks.
      guard let page = try? index.page(.changeTags, number, in: transaction) else { continue }
      let summary = try index.page(.changeSummary, number / count, in: transaction)
      if page.maximum > summary?[Int(number % count)] ?? 0 {
        note("the summary of the change index is older than page \(number)", &report)
      }
      let end = min(count, blockCount - number * count)
      if (Int(end)..<ChangePage.count).contains(where: { page[$0] != 0 }) {
        note("the change index names blocks beyond the \(blockCount) of the table", &report)
      }
    }
  }

  /// Checks the log and the deleted ids against the record, and against each other.
  private func checkLog(
    in transaction: borrowing ReadTransaction, _ report: inout VerificationReport
  ) throws(EmbeddingError) {
    let history = record.history
    var deletions: [UInt64: UInt64] = [:]
    try Tombstones(storage: storage).forEach(after: 0, in: transaction) {
      (_, generation) throws(EmbeddingError) in deletions[generation, default: 0] += 1
    }
    var commits: UInt64 = 0
    var last: CommitLog.Entry?
    var first: CommitLog.Entry?
    var total: UInt64 = 0
    try CommitLog(storage: storage).forEach(in: transaction) { (entry) throws(EmbeddingError) in
      commits += 1
      first = first ?? entry
      last = entry
      total += entry.deletions
      if deletions.removeValue(forKey: entry.generation) ?? 0 != entry.deletions {
        note("ids that commit \(entry.generation) deleted are missing", &report)
      }
    }
    guard commits == history.commits, total == history.deletions, deletions.isEmpty,
      first?.generation == history.floor, last?.generation == history.generation,
      last?.identity == history.identity
    else {
      return note("its record and the log of its commits disagree", &report)
    }
  }
}
