import LMDB
import StorageBase

/// The ids of a commit's new rows on their way into the id tree, in its order, some at a time.
struct NewIDs {
  private let storage: TableStorage
  private let rows: CommitRows
  private let numbers: NewNumbers
  private let pace: Pace?
  /// Bytes of changed pages that an id costs, where they are spread evenly.
  private let bytesPerID: Int
  /// Bytes of pages after which to look whether they are to be written.
  private let bytesAhead: Int
  /// How many were entered.
  private(set) var entered = 0

  init(
    _ rows: CommitRows, _ numbers: NewNumbers, _ storage: TableStorage, at pace: Pace?,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    self.storage = storage
    self.rows = rows
    self.numbers = numbers
    self.pace = pace
    let tree = try transaction.statistics(of: storage.ids)
    // Half of a page's ids are new ones when it is split; and no page is met twice.
    let oldPages = storage.idType == .int64 ? tree.entries : tree.leafPages
    let pages = Double(oldPages) * 1.5 / Double(max(1, rows.newByKey.count)) + 0.02
    bytesPerID = Int(Double(BlockLayout.pageSize) * min(1, pages))
    bytesAhead = rows.cache.budget.bytesAhead / 4
  }

  var count: Int { rows.newByKey.count }

  /// Enters some more, none behind the one with number `end`; returns the bytes of pages that they may
  /// have changed.
  mutating func enter(
    upTo end: Int, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> Int {
    let part = entered..<min(end, entered + max(1, bytesAhead / bytesPerID))
    switch storage.idType {
    case .int64: try enterInt64s(part, in: transaction)
    case .bytes: try enterBytes(part, in: transaction)
    }
    entered = part.upperBound
    return part.count * bytesPerID
  }

  private func enterInt64s(
    _ part: Range<Int>, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    let ids = rows.newByKey
    try storage.editIDs(in: transaction) { (editor, tree) throws(EmbeddingError) in
      for k in part {
        if k % 512 == 0 { pace?.giveWay() }
        try editor.set(ids[k].key, row: numbers[Int(ids[k].value)], in: &tree)
      }
    }
  }

  private func enterBytes(
    _ part: Range<Int>, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    for k in part {
      if k % 128 == 0 { pace?.giveWay() }
      let id = rows.newByKey[k]
      let row = rows.row(id.index)
      // The bytes outlive the lock: the row stays where it is until the commit has ended.
      let bytes = rows.cache.shards[Int(row.shard)].withRows { $0.idBytes(Int(row.slot)) }
      try storage.insertID(
        RowKey(key: id.key, bytes: bytes), row: numbers[Int(id.value)], in: transaction)
    }
  }
}
