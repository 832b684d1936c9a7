import LMDB
import StorageBase

/// The id tree's part of a commit, and rows that move.
extension TableCommit {
  /// Takes the ids of deleted rows out of the tree, in its order.
  func deleteIDs(
    _ recorder: inout ChangeRecorder, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    guard !rows.deleted.isEmpty else { return }
    let storage = table.storage
    let order = inTreeOrder(rows.deleted.lazy.map(\.key))
    switch storage.idType {
    case .int64:
      try storage.editIDs(in: transaction) { (editor, tree) throws(EmbeddingError) in
        for id in order {
          let row = rows.deleted[Int(id.index)].row
          guard try editor.row(under: id.key, in: &tree) == row else { throw missingID(row) }
          try recorder.noteDeleted(treeKey: id.key, in: transaction)
          try editor.set(id.key, row: nil, in: &tree)
          try editor.writeAhead(beyond: table.cache.budget.bytesAhead, in: transaction)
        }
      }
    case .bytes:
      for id in order {
        let row = rows.deleted[Int(id.index)].row
        guard let entries = try transaction.get(id.key, in: storage.ids).map(IDEntries.init),
          let entry = entries.first(where: { $0.row == row })
        else { throw missingID(row) }
        let rest = entries.removing(row: row)
        // The first write: what the tree lends lasts until then.
        try recorder.noteDeleted(treeKey: id.key, bytes: entry.bytes, in: transaction)
        try storage.setEntries(rest, under: id.key, in: transaction)
      }
    }
  }

  /// The tree keys of some keys, which rise, and which of the keys each is.
  private func inTreeOrder(_ keys: some Collection<UInt64>) -> [KeyedIndex] {
    var order = keys.enumerated().map { (index, key) in
      KeyedIndex(key: table.storage.treeKey(key), index: UInt32(index))
    }
    radixSort(&order)
    return order
  }

  private func missingID(_ row: UInt64) -> EmbeddingError {
    table.storage.corruption("the id of row \(row) is missing")
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
      moves.append((key, from, to))
    }
    try moveIDs(moves, in: transaction)
    return moves
  }

  private func moveIDs(
    _ moves: [(key: UInt64, from: UInt64, to: UInt64)], in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    guard !moves.isEmpty else { return }
    let storage = table.storage
    let order = inTreeOrder(moves.lazy.map(\.key))
    switch storage.idType {
    case .int64:
      try storage.editIDs(in: transaction) { (editor, tree) throws(EmbeddingError) in
        for id in order {
          let (_, from, to) = moves[Int(id.index)]
          guard try editor.row(under: id.key, in: &tree) == from else { throw missingID(from) }
          try editor.set(id.key, row: to, in: &tree)
          try editor.writeAhead(beyond: table.cache.budget.bytesAhead, in: transaction)
        }
      }
    case .bytes:
      for id in order {
        let (_, from, to) = moves[Int(id.index)]
        guard let value = try transaction.get(id.key, in: storage.ids) else {
          throw missingID(from)
        }
        let moved = IDEntries(value: value).moving(row: from, to: to)
        try storage.setEntries(moved, under: id.key, in: transaction)
      }
    }
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
