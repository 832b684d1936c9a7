import CKernels
import LMDB
import StorageBase
import Synchronization

/// The id tree's part of a commit, and rows that move.
extension TableCommit {
  func deleteID(
    _ row: ChangedRow, _ recorder: inout ChangeRecorder,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    let storage = table.storage
    let treeKey = storage.treeKey(row.key)
    guard let value = try transaction.get(treeKey, in: storage.ids),
      let id = storage.idBytes(in: value, ofRow: row.row)
    else {
      throw storage.corruption("the id of row \(row.row) is missing")
    }
    let rest: [UInt8] =
      storage.idType == .int64 ? [] : IDEntries(value: value).removing(row: row.row)
    // The first write: what the tree lends lasts until then.
    try recorder.noteDeleted(treeKey: treeKey, bytes: id, in: transaction)
    if rest.isEmpty {
      try transaction.delete(treeKey, in: storage.ids)
    } else {
      try rest.withBytes { (rest) throws(EmbeddingError) in
        try transaction.put(treeKey, rest, in: storage.ids)
      }
    }
  }

  /// Enters the ids of the new rows, in the order of the tree.
  func insertIDs(
    _ numbers: [UInt64], in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    let storage = table.storage
    // A page for each id, if they are far apart.
    let idsAhead = max(1, table.cache.budget.bytesAhead / BlockLayout.pageSize)
    let isFirst = try transaction.statistics(of: storage.ids).entries == 0
    var start = 0
    while start < newByKey.count {
      if start > 0 { try transaction.writeAhead(storage.ids) }
      let part = newByKey[start..<min(start + idsAhead, newByKey.count)]
      start = part.endIndex
      switch storage.idType {
      case .int64:
        try insert(part, of: numbers, isFirst: isFirst, in: transaction)
      case .bytes:
        for (k, element) in part.enumerated() {
          if k % 128 == 0 { pace?.giveWay() }
          let row = rows[Int(element.index)]
          // The bytes outlive the lock: the row stays where it is until the commit has ended.
          let bytes = table.cache.shards[Int(row.shard)].withRows { $0.idBytes(Int(row.slot)) }
          try storage.insertID(
            RowKey(hash: row.hash, bytes: bytes), row: numbers[Int(element.index)], in: transaction)
        }
      }
    }
  }

  /// Enters Int64 ids by their tree keys.
  ///
  /// - Parameter isFirst: whether the tree has only ids that precede them, entered here before.
  private func insert(
    _ part: ArraySlice<KeyedIndex>, of numbers: UnsafePointer<UInt64>, isFirst: Bool,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    try transaction.withAppender(table.storage.ids) { (tree) throws(EmbeddingError) in
      for k in part.indices {
        if k % 128 == 0 { pace?.giveWay() }
        // Unsafe: asked for, not read.
        if k + 16 < part.endIndex { ck_prefetch(numbers + Int(part[k + 16].index)) }
        let element = part[k]
        let row = numbers[Int(element.index)].littleEndian
        try withUnsafePointer(to: row) { (row) throws(EmbeddingError) in
          let value = UnsafeRawBufferPointer(start: row, count: 8)
          if isFirst {
            try tree.append(element.key, value)
          } else {
            try tree.put(element.key, value)
          }
        }
      }
    }
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
      guard let value = try transaction.get(treeKey, in: storage.ids) else {
        throw storage.corruption("the id of row \(from) is missing")
      }
      let moved =
        storage.idType == .int64
        ? withUnsafeBytes(of: to) { Array($0) } : IDEntries(value: value).moving(row: from, to: to)
      try moved.withBytes { (moved) throws(EmbeddingError) in
        try transaction.put(treeKey, moved, in: storage.ids)
      }
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

extension TableStorage {
  /// Enters a byte-string id that is not there yet.
  func insertID(
    _ key: RowKey, row: UInt64, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    let treeKey = treeKey(key.key)
    let existing = try transaction.get(treeKey, in: ids)
    let value =
      existing.map { IDEntries(value: $0).appending(row: row, bytes: key.bytes) }
      ?? IDEntries.encode(row: row, bytes: key.bytes)
    try value.withBytes { (value) throws(EmbeddingError) in
      try transaction.put(treeKey, value, in: ids)
    }
  }
}
