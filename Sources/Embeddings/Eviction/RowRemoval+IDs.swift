import LMDB
import StorageBase

/// The id tree's part of a removal: each entry of a row that goes or moves is changed once, in the
/// order of the tree.
extension RowRemoval {
  typealias Changes = (removed: UInt64, moved: UInt64)

  /// Takes the ids of the removed rows out, and enters the new numbers of those that move. Returns
  /// how many of each there were.
  func changeIDs(
    _ recorder: inout ChangeRecorder, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> Changes {
    var changes: Changes = (0, 0)
    if UInt64(numbers.removed.count) + numbers.moveCount <= UInt64(limits.idCount) {
      try change(try treeKeys(in: transaction), &changes, &recorder, in: transaction)
      return changes
    }
    var start: UInt64? = 0
    while let key = start {
      let (keys, next) = try affectedKeys(from: key, in: transaction)
      try change(keys, &changes, &recorder, in: transaction)
      start = next
    }
    return changes
  }

  /// The keys of all ids that go or move, from the blocks of their rows.
  private func treeKeys(
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> [UInt64] {
    let layout = storage.layout
    let (removed, newCount) = (numbers.removed, numbers.newCount)
    var keys: [UInt64] = []
    keys.reserveCapacity(removed.count + Int(numbers.moveCount))
    var row = removed.next(from: 0)
    while let first = row {
      let number = layout.place(ofRow: first).block
      let block = try storage.checkedBlock(number, in: transaction)
      let start = number * UInt64(layout.rowsPerBlock)
      let end = min(start + UInt64(layout.rowsPerBlock), removed.rowCount)
      for index in 0..<Int(end - start) where !numbers.isUnaffected(start + UInt64(index)) {
        keys.append(storage.treeKey(block.key(index)))
      }
      row = removed.next(from: end)
    }
    // Blocks behind the new end in which all rows move.
    for number in newCount / UInt64(layout.rowsPerBlock)..<layout.blockCount(rows: removed.rowCount)
    {
      let start = number * UInt64(layout.rowsPerBlock)
      let end = min(start + UInt64(layout.rowsPerBlock), removed.rowCount)
      if let next = removed.next(from: start), next < end { continue }
      let block = try storage.checkedBlock(number, in: transaction)
      for row in max(start, newCount)..<end {
        keys.append(storage.treeKey(block.key(Int(row - start))))
      }
    }
    keys.sort()
    return keys
  }

  /// The keys of entries that change, at most so many as are worth keeping, and where to go on.
  private func affectedKeys(
    from start: UInt64, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> (keys: [UInt64], next: UInt64?) {
    let limit = max(1, min(limits.idCount, limits.bytesAhead / BlockLayout.pageSize))
    var keys: [UInt64] = []
    var next: UInt64?
    try storage.forEachID(from: start, in: transaction) { (key, value) throws(EmbeddingError) in
      guard try isAffected(value) else { return true }
      if keys.count == limit { next = key } else { keys.append(key) }
      return next == nil
    }
    return (keys, next)
  }

  private func isAffected(_ value: UnsafeRawBufferPointer) throws(EmbeddingError) -> Bool {
    switch storage.idType {
    case .int64: return !numbers.isUnaffected(try known(storage.rowNumber(value)))
    case .bytes:
      for entry in IDEntries(value: value) where !numbers.isUnaffected(try known(entry.row)) {
        return true
      }
      return false
    }
  }

  private func known(_ row: UInt64) throws(EmbeddingError) -> UInt64 {
    guard row < numbers.removed.rowCount else {
      throw storage.corruption("an id leads to row \(row), of \(numbers.removed.rowCount)")
    }
    return row
  }

  /// Changes what some keys, which rise, lead to.
  private func change(
    _ keys: [UInt64], _ changes: inout Changes, _ recorder: inout ChangeRecorder,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    switch storage.idType {
    case .int64: try changePages(keys, &changes, &recorder, in: transaction)
    case .bytes: try changeEntries(keys, &changes, &recorder, in: transaction)
    }
  }

  private func changePages(
    _ keys: [UInt64], _ changes: inout Changes, _ recorder: inout ChangeRecorder,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    try storage.editIDs(in: transaction) { (editor, tree) throws(EmbeddingError) in
      for key in keys {
        guard let row = try editor.row(under: key, in: &tree) else { throw missing }
        let new = numbers.number(of: try known(row))
        if let new {
          changes.moved += new == row ? 0 : 1
        } else {
          changes.removed += 1
          try recorder.noteDeleted(treeKey: key, in: transaction)
        }
        try editor.set(key, row: new, in: &tree)
        try editor.writeAhead(beyond: limits.bytesAhead, in: transaction)
      }
    }
  }

  /// Hashes of byte strings; one that comes twice is met once.
  private func changeEntries(
    _ keys: [UInt64], _ changes: inout Changes, _ recorder: inout ChangeRecorder,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    // A page for each, if they are far apart.
    let ahead = max(1, limits.bytesAhead / BlockLayout.pageSize)
    var left: [UInt8] = []
    for (i, key) in keys.enumerated() {
      if i > 0, keys[i - 1] == key { continue }
      if i % ahead == ahead - 1 { try transaction.writeAhead(storage.ids) }
      // A copy: what is noted may be written to the same transaction.
      guard let copy = try transaction.get(key, in: storage.ids).map(Array.init) else {
        throw missing
      }
      left.removeAll(keepingCapacity: true)
      try copy.withBytes { (value) throws(EmbeddingError) in
        for entry in IDEntries(value: value) {
          let row = try known(entry.row)
          if let new = numbers.number(of: row) {
            changes.moved += new == row ? 0 : 1
            IDEntries.append(row: new, bytes: entry.bytes, to: &left)
          } else {
            changes.removed += 1
            try recorder.noteDeleted(treeKey: key, bytes: entry.bytes, in: transaction)
          }
        }
      }
      try storage.setEntries(left, under: key, in: transaction)
    }
  }

  private var missing: EmbeddingError {
    storage.corruption("the id of a row to be removed or moved is missing")
  }
}
