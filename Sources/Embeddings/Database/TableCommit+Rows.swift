import LMDB
import StorageBase

/// The id tree's part of a commit, and rows that move.
extension TableCommit {
  func deleteID(
    _ row: ChangedRow, _ recorder: inout ChangeRecorder,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    let storage = table.storage
    let treeKey = storage.treeKey(row.key)
    guard let value = try storage.idValue(under: treeKey, in: transaction),
      let id = storage.idBytes(in: value, ofRow: row.row)
    else {
      throw storage.corruption("the id of row \(row.row) is missing")
    }
    let rest: [UInt8] =
      storage.idType == .int64 ? [] : IDEntries(value: value).removing(row: row.row)
    // The first write: what the tree lends lasts until then.
    try recorder.noteDeleted(treeKey: treeKey, bytes: id, in: transaction)
    try storage.setIDValue(rest, under: treeKey, in: transaction)
  }

  /// Chooses the rows that move from the end of the table into holes, and notes it in the id tree.
  ///
  /// - Parameters:
  ///   - holes: numbers without a row, rising; those within `tail` vanish with it.
  ///   - tail: the numbers that the table loses at its end.
  func movesInto(
    _ holes: ArraySlice<UInt64>, from tail: Range<UInt64>,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> [(key: UInt64, from: UInt64, to: UInt64)] {
    let storage = table.storage
    var targets = holes.prefix { $0 < tail.lowerBound }
    let vanishing = Set(holes.dropFirst(targets.count))
    var moves: [(key: UInt64, from: UInt64, to: UInt64)] = []
    for from in tail where !vanishing.contains(from) {
      guard let to = targets.popFirst() else { break }
      let place = storage.layout.place(ofRow: from)
      let key = try storage.checkedBlock(place.block, in: transaction).key(place.index)
      let treeKey = storage.treeKey(key)
      guard let value = try storage.idValue(under: treeKey, in: transaction) else {
        throw storage.corruption("the id of row \(from) is missing")
      }
      let moved =
        storage.idType == .int64
        ? withUnsafeBytes(of: to) { Array($0) } : IDEntries(value: value).moving(row: from, to: to)
      try storage.setIDValue(moved, under: treeKey, in: transaction)
      moves.append((key, from, to))
    }
    return moves
  }

  /// The sum of the frequencies that rows have in the last commit.
  func frequency(
    of rows: some Sequence<UInt64>, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> UInt64 {
    var sum: UInt64 = 0
    for row in rows {
      let place = table.storage.layout.place(ofRow: row)
      sum &+= try table.storage.checkedBlock(place.block, in: transaction).frequency(place.index)
    }
    return sum
  }
}
