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
    return try transaction.withCursor(storage.ids) { (cursor) throws(EmbeddingError) in
      var keys: [UInt64] = []
      var entry = try cursor.seek(atOrAfter: start)
      while let (key, value) = entry {
        if try isAffected(value) {
          guard keys.count < limit else { return (keys, key) }
          keys.append(key)
        }
        entry = try cursor.next()
      }
      return (keys, nil)
    }
  }

  private func isAffected(_ value: UnsafeRawBufferPointer) throws(EmbeddingError) -> Bool {
    switch storage.idType {
    case .int64: return !numbers.isUnaffected(try known(try storage.rowNumber(value)))
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

  /// Changes the entries of some keys, which rise; one that comes twice is met once.
  private func change(
    _ keys: [UInt64], _ changes: inout Changes, _ recorder: inout ChangeRecorder,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    // A page for each, if they are far apart.
    let ahead = max(1, limits.bytesAhead / BlockLayout.pageSize)
    var left: [UInt8] = []
    for (i, key) in keys.enumerated() {
      if i > 0, keys[i - 1] == key { continue }
      if i % ahead == ahead - 1 { try transaction.writeAhead(storage.ids) }
      guard let value = try transaction.get(key, in: storage.ids) else {
        throw storage.corruption("the id of a row to be removed or moved is missing")
      }
      left.removeAll(keepingCapacity: true)
      switch storage.idType {
      case .int64:
        let row = try known(try storage.rowNumber(value))
        if let new = numbers.number(of: row) {
          changes.moved += new == row ? 0 : 1
          withUnsafeBytes(of: new.littleEndian) { left.append(contentsOf: $0) }
        } else {
          changes.removed += 1
          try recorder.noteDeleted(treeKey: key, in: transaction)
        }
      case .bytes:
        // A copy: what is noted may be written to the same transaction.
        let copy = Array(value)
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
      }
      if left.isEmpty {
        try transaction.delete(key, in: storage.ids)
      } else {
        try left.withBytes { (left) throws(EmbeddingError) in
          try transaction.put(key, left, in: storage.ids)
        }
      }
    }
  }
}
