import CLMDB
package import StorageBase

/// A position in a named database, lent by `withCursor`.
///
/// What it returns is lent straight from the memory map, at any address: use unaligned loads only.
/// Moves give nil past either end. Functions for integer keys trap in a database with byte-string
/// keys, and the other way round.
package struct Cursor: ~Copyable {
  /// An entry of a database with integer keys.
  package typealias Entry = (key: UInt64, value: UnsafeRawBufferPointer)
  /// An entry of a database with byte-string keys.
  package typealias BytesEntry = (key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)

  let raw: OpaquePointer
  let hasIntegerKeys: Bool
  /// The state of the write transaction; nil in a read transaction.
  let progress: WriteProgress?

  init(raw: OpaquePointer, hasIntegerKeys: Bool, progress: WriteProgress?) {
    self.raw = raw
    self.hasIntegerKeys = hasIntegerKeys
    self.progress = progress
  }

  deinit { mdb_cursor_close(raw) }

  /// Moves by `operation`; false where there is nothing.
  @inline(__always)
  func move(
    _ key: inout MDB_val, _ value: inout MDB_val, _ operation: MDB_cursor_op
  ) throws(EmbeddingError) -> Bool {
    let code = mdb_cursor_get(raw, &key, &value, operation)
    if code == MDB_SUCCESS { return true }
    if code == MDB_NOTFOUND { return false }
    throw lmdbError(code, "moving a cursor")
  }
}

// MARK: - Integer keys

extension Cursor {
  /// The entry with the least key.
  package func first() throws(EmbeddingError) -> Entry? { try move(MDB_FIRST) }
  /// The entry with the greatest key.
  package func last() throws(EmbeddingError) -> Entry? { try move(MDB_LAST) }
  /// The entry after the current one; the first one in the beginning.
  package func next() throws(EmbeddingError) -> Entry? { try move(MDB_NEXT) }
  /// The entry before the current one; the last one in the beginning.
  package func previous() throws(EmbeddingError) -> Entry? { try move(MDB_PREV) }

  /// The value of exactly `key`.
  package func seek(_ key: UInt64) throws(EmbeddingError) -> UnsafeRawBufferPointer? {
    try seek(key, MDB_SET_KEY)?.value
  }

  /// The entry with the least key that is `key` or more.
  package func seek(atOrAfter key: UInt64) throws(EmbeddingError) -> Entry? {
    try seek(key, MDB_SET_RANGE)
  }

  @inline(__always)
  private func seek(_ key: UInt64, _ operation: MDB_cursor_op) throws(EmbeddingError) -> Entry? {
    precondition(hasIntegerKeys, "the named database has byte-string keys")
    var wanted = key
    var found = MDB_val()
    var value = MDB_val()
    let code = withUnsafeMutableBytes(of: &wanted) { bytes in
      found = MDB_val(mv_size: bytes.count, mv_data: bytes.baseAddress)
      return mdb_cursor_get(raw, &found, &value, operation)
    }
    if code == MDB_NOTFOUND { return nil }
    try check(code, "moving a cursor")
    // The key found is in the map now, not in `wanted`.
    return (found.bytes.loadUnaligned(as: UInt64.self), value.bytes)
  }

  @inline(__always)
  private func move(_ operation: MDB_cursor_op) throws(EmbeddingError) -> Entry? {
    precondition(hasIntegerKeys, "the named database has byte-string keys")
    var key = MDB_val()
    var value = MDB_val()
    guard try move(&key, &value, operation) else { return nil }
    return (key.bytes.loadUnaligned(as: UInt64.self), value.bytes)
  }
}

// MARK: - Byte-string keys

extension Cursor {
  /// The entry with the least key.
  package func firstBytes() throws(EmbeddingError) -> BytesEntry? { try moveBytes(MDB_FIRST) }
  /// The entry with the greatest key.
  package func lastBytes() throws(EmbeddingError) -> BytesEntry? { try moveBytes(MDB_LAST) }
  /// The entry after the current one; the first one in the beginning.
  package func nextBytes() throws(EmbeddingError) -> BytesEntry? { try moveBytes(MDB_NEXT) }
  /// The entry before the current one; the last one in the beginning.
  package func previousBytes() throws(EmbeddingError) -> BytesEntry? { try moveBytes(MDB_PREV) }

  /// The value of exactly `key` (1 to 511 bytes).
  package func seek(_ key: UnsafeRawBufferPointer) throws(EmbeddingError)
    -> UnsafeRawBufferPointer?
  {
    try seek(key, MDB_SET_KEY)?.value
  }

  /// The entry with the least key that is `key` (1 to 511 bytes) or more.
  package func seek(atOrAfter key: UnsafeRawBufferPointer) throws(EmbeddingError) -> BytesEntry? {
    try seek(key, MDB_SET_RANGE)
  }

  private func seek(
    _ key: UnsafeRawBufferPointer, _ operation: MDB_cursor_op
  ) throws(EmbeddingError) -> BytesEntry? {
    precondition(!hasIntegerKeys, "the named database has integer keys")
    try checkKey(key)
    var key = MDB_val(key)
    var value = MDB_val()
    guard try move(&key, &value, operation) else { return nil }
    return (key.bytes, value.bytes)
  }

  private func moveBytes(_ operation: MDB_cursor_op) throws(EmbeddingError) -> BytesEntry? {
    precondition(!hasIntegerKeys, "the named database has integer keys")
    var key = MDB_val()
    var value = MDB_val()
    guard try move(&key, &value, operation) else { return nil }
    return (key.bytes, value.bytes)
  }
}

// MARK: - Writing

extension Cursor {
  /// Replaces the value of the current entry. Throws `.readOnly` in a read transaction.
  package func putCurrent(_ value: UnsafeRawBufferPointer) throws(EmbeddingError) {
    let progress = try writing()
    var key = MDB_val()
    var old = MDB_val()
    try progress.check(mdb_cursor_get(raw, &key, &old, MDB_GET_CURRENT), "reading the cursor's key")
    // The key stands in the page that the write may rearrange: LMDB needs it from elsewhere.
    let code = withUnsafeTemporaryAllocation(byteCount: maximumKeySize, alignment: 8) { copy in
      copy.copyMemory(from: key.bytes)
      var key = MDB_val(mv_size: key.mv_size, mv_data: copy.baseAddress)
      var value = MDB_val(value)
      return mdb_cursor_put(raw, &key, &value, UInt32(MDB_CURRENT))
    }
    try progress.check(code, "writing at a cursor")
  }

  /// Removes the current entry; `next` then gives the one after it. Throws `.readOnly` in a read
  /// transaction.
  package func deleteCurrent() throws(EmbeddingError) {
    try writing().check(mdb_cursor_del(raw, 0), "deleting at a cursor")
  }

  private func writing() throws(EmbeddingError) -> WriteProgress {
    guard let progress else {
      throw EmbeddingError(
        .readOnly, "the cursor belongs to a read transaction: take it from a write transaction")
    }
    return progress
  }
}
