import LMDB
import StorageBase

/// How ids stand in their tree: those of an Int64 table in pages (``IDPage``), byte strings in an entry
/// for each hash (``IDEntries``).
///
/// What the tree has under the key of an id is called its value: the row number of an Int64 id, 8
/// bytes, or the entry of a hash. It is lent straight from the map.
extension TableStorage {
  static func treeKey(int64 key: UInt64) -> UInt64 { key ^ (1 << 63) }

  /// The way back.
  static func key(int64TreeKey key: UInt64) -> UInt64 { key ^ (1 << 63) }

  /// The key in the id tree of a cache key.
  @inline(__always)
  func treeKey(_ key: UInt64) -> UInt64 { Self.treeKey(key, idType) }

  @inline(__always)
  static func treeKey(_ key: UInt64, _ idType: IDType) -> UInt64 {
    idType == .int64 ? treeKey(int64: key) : key
  }

  // MARK: Reading

  /// The row number of an id, or nil.
  func row<T: ReadableTransaction & ~Copyable>(
    of key: RowKey, in transaction: borrowing T
  ) throws(EmbeddingError) -> UInt64? {
    guard let value = try idValue(under: treeKey(key.key), in: transaction) else { return nil }
    switch idType {
    case .int64: return rowNumber(value)
    case .bytes: return IDEntries(value: value).row(of: key.bytes)
    }
  }

  /// Calls `body` with the row numbers of many ids, nil where one has none, until it returns false.
  ///
  /// What an id needs comes from two places in memory, of which the second is found in the first: they
  /// are asked for ahead, some ids at a time.
  ///
  /// - Parameter order: tree keys, rising, and the positions of their ids in the batch.
  /// - Returns: false where `body` did.
  func forEachRow<T: ReadableTransaction & ~Copyable>(
    of order: [KeyedIndex], _ ids: UnsafeIDs, in transaction: borrowing T,
    _ body: (_ position: Int, _ row: UInt64?) throws(EmbeddingError) -> Bool
  ) throws(EmbeddingError) -> Bool {
    guard idType == .int64 else {
      for id in order {
        let entries = try transaction.get(id.key, in: self.ids).map(IDEntries.init)
        let position = Int(id.index)
        guard try body(position, entries?.row(of: ids.bytes(position))) else { return false }
      }
      return true
    }
    let atOnce = 32
    var pages: [IDPage?] = []
    pages.reserveCapacity(atOnce)
    return try transaction.withCursor(self.ids) { (cursor) throws(EmbeddingError) in
      var page: (key: UInt64, ids: IDPage)?
      for first in stride(from: 0, to: order.count, by: atOnce) {
        let some = order[first..<min(first + atOnce, order.count)]
        pages.removeAll(keepingCapacity: true)
        for id in some {
          if page.map({ $0.key < id.key }) ?? true {
            page = try cursor.seek(atOrAfter: id.key).map { (entry) throws(EmbeddingError) in
              (entry.key, try idPage(entry.value))
            }
          }
          page?.ids.prefetchEnds()
          pages.append(page?.ids)
        }
        for (page, id) in zip(pages, some) { page?.prefetch(id.key) }
        for (page, id) in zip(pages, some) {
          let row = page?.row(under: id.key).map { rowNumber($0) }
          guard try body(Int(id.index), row) else { return false }
        }
      }
      return true
    }
  }

  /// The value under a tree key, or nil.
  func idValue<T: ReadableTransaction & ~Copyable>(
    under treeKey: UInt64, in transaction: borrowing T
  ) throws(EmbeddingError) -> UnsafeRawBufferPointer? {
    guard idType == .int64 else { return try transaction.get(treeKey, in: ids) }
    return try transaction.withCursor(ids) { (cursor) throws(EmbeddingError) in
      guard let entry = try cursor.seek(atOrAfter: treeKey) else { return nil }
      return try idPage(entry.value).row(under: treeKey)
    }
  }

  /// Calls `body` with the values of all tree keys from `start` on, in their order, until it returns
  /// false.
  func forEachID<T: ReadableTransaction & ~Copyable>(
    from start: UInt64 = 0, in transaction: borrowing T,
    _ body: (_ treeKey: UInt64, _ value: UnsafeRawBufferPointer) throws(EmbeddingError) -> Bool
  ) throws(EmbeddingError) {
    try transaction.withCursor(ids) { (cursor) throws(EmbeddingError) in
      var next = try cursor.seek(atOrAfter: start)
      while let entry = next {
        switch idType {
        case .int64:
          let page = try idPage(entry.value)
          for index in page.index(atOrAfter: start)..<page.count {
            guard try body(page.key(index), page.row(index)) else { return }
          }
        case .bytes:
          guard try body(entry.key, entry.value) else { return }
        }
        next = try cursor.next()
      }
    }
  }

  func idPage(_ value: UnsafeRawBufferPointer) throws(EmbeddingError) -> IDPage {
    guard let page = IDPage(value) else {
      throw corruption("a page of ids has \(value.count) bytes, not 8 and 16 for each")
    }
    return page
  }

  /// The row number that the value of an Int64 id is: 8 bytes of an ``IDPage``.
  func rowNumber(_ value: UnsafeRawBufferPointer) -> UInt64 {
    value.loadUnaligned(as: UInt64.self)
  }

  /// Appends the ids of rows `rows` to `column`, reading the keys from `keys`.
  ///
  /// The bytes of byte-string ids stand in the id tree; they are read in its order, and come out in
  /// that of the rows.
  func appendIDs<T: ReadableTransaction & ~Copyable>(
    rows: [UInt64], keys: [UInt64], to column: inout IDColumn, in transaction: borrowing T
  ) throws(EmbeddingError) {
    switch idType {
    case .int64:
      for key in keys { column.append(Int64(bitPattern: key)) }
    case .bytes:
      var found = [UnsafeRawBufferPointer?](repeating: nil, count: rows.count)
      for i in rows.indices.sorted(by: { keys[$0] < keys[$1] }) {
        guard let value = try transaction.get(keys[i], in: ids),
          let entry = IDEntries(value: value).first(where: { $0.row == rows[i] })
        else {
          throw corruption("row \(rows[i]) has no id")
        }
        found[i] = entry.bytes
      }
      for bytes in found { column.append(bytes: bytes.unsafelyUnwrapped) }
    }
  }

  // MARK: Changing

  /// Lends an editor of a table's Int64 ids to `body`, and the tree that it works on, which changes
  /// through it alone.
  func editIDs(
    in transaction: borrowing WriteTransaction,
    _ body: (inout IDPageEditor, inout Appender) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    try transaction.withAppender(ids) { (tree) throws(EmbeddingError) in
      var editor = IDPageEditor(self)
      try body(&editor, &tree)
      try editor.finish(in: &tree)
    }
  }

  /// Sets the entry of a hash of byte-string ids; one without bytes removes it.
  func setEntries(
    _ value: [UInt8], under hash: UInt64, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    if value.isEmpty {
      try transaction.delete(hash, in: ids)
    } else {
      try value.withBytes { (value) throws(EmbeddingError) in
        try transaction.put(hash, value, in: ids)
      }
    }
  }

  /// Enters a byte-string id that is not there yet.
  func insertID(
    _ key: RowKey, row: UInt64, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    let treeKey = treeKey(key.key)
    let existing = try transaction.get(treeKey, in: ids)
    let value =
      existing.map { IDEntries(value: $0).appending(row: row, bytes: key.bytes) }
      ?? IDEntries.encode(row: row, bytes: key.bytes)
    try setEntries(value, under: treeKey, in: transaction)
  }
}
