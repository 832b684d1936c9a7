import CLMDB
package import StorageBase

/// What reading needs of a transaction, whichever kind it is; valid no longer than it.
///
/// `@unchecked Sendable`: a read transaction may move between threads (`MDB_NOTLS`); a write
/// transaction is lent to one closure, which may have one thread after the other use it: it begins and
/// ends in that of the closure.
package struct TransactionHandle: @unchecked Sendable {
  let raw: OpaquePointer
  let generations: UnsafeMutableBufferPointer<UInt64>

  /// Refuses the handle of a dropped database, or of another environment.
  @inline(__always)
  func check(_ database: NamedDatabase) throws(EmbeddingError) {
    guard Int(database.dbi) < generations.count,
      generations[Int(database.dbi)] == database.generation
    else { throw staleHandle(database) }
  }

  @usableFromInline package func get(
    _ key: UInt64, in database: NamedDatabase
  ) throws(EmbeddingError) -> UnsafeRawBufferPointer? {
    precondition(database.hasIntegerKeys, "the named database has byte-string keys")
    try check(database)
    var key = key
    var value = MDB_val()
    let code = withUnsafeMutableBytes(of: &key) { bytes in
      var key = MDB_val(mv_size: bytes.count, mv_data: bytes.baseAddress)
      return mdb_get(raw, database.dbi, &key, &value)
    }
    return try found(code, value)
  }

  @usableFromInline package func get(
    _ key: UnsafeRawBufferPointer, in database: NamedDatabase
  ) throws(EmbeddingError) -> UnsafeRawBufferPointer? {
    var key = try keyValue(key, database)
    try check(database)
    var value = MDB_val()
    return try found(mdb_get(raw, database.dbi, &key, &value), value)
  }

  package func statistics(of database: NamedDatabase) throws(EmbeddingError) -> DatabaseStatistics {
    try check(database)
    var stat = MDB_stat()
    try LMDB.check(mdb_stat(raw, database.dbi, &stat), "reading statistics")
    return DatabaseStatistics(
      entries: stat.ms_entries, depth: Int(stat.ms_depth), branchPages: stat.ms_branch_pages,
      leafPages: stat.ms_leaf_pages, overflowPages: stat.ms_overflow_pages)
  }

  @usableFromInline package func withCursor<R>(
    _ database: NamedDatabase, _ progress: WriteProgress?,
    _ body: (borrowing Cursor) throws(EmbeddingError) -> R
  ) throws(EmbeddingError) -> R {
    try check(database)
    var raw: OpaquePointer?
    try LMDB.check(mdb_cursor_open(self.raw, database.dbi, &raw), "opening a cursor")
    let cursor = Cursor(raw: raw!, hasIntegerKeys: database.hasIntegerKeys, progress: progress)
    return try body(cursor)
  }

  @inline(__always)
  private func found(
    _ code: Int32, _ value: MDB_val
  ) throws(EmbeddingError) -> UnsafeRawBufferPointer? {
    if code == MDB_SUCCESS { return value.bytes }
    if code == MDB_NOTFOUND { return nil }
    throw lmdbError(code, "reading a value")
  }
}

extension MDB_val {
  /// The bytes it points to.
  @inline(__always)
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: mv_data, count: mv_size) }

  /// LMDB does not write through the values it is given, though their type allows it.
  @inline(__always)
  init(_ bytes: UnsafeRawBufferPointer) {
    self.init(mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
  }
}

/// A byte-string key as LMDB takes it. Traps where the database has integer keys.
@inline(__always)
func keyValue(
  _ key: UnsafeRawBufferPointer, _ database: NamedDatabase
) throws(EmbeddingError) -> MDB_val {
  precondition(!database.hasIntegerKeys, "the named database has integer keys")
  try checkKey(key)
  return MDB_val(key)
}

/// Refuses a key of a length that LMDB does not take.
@inline(__always)
func checkKey(_ key: UnsafeRawBufferPointer) throws(EmbeddingError) {
  guard key.count > 0, key.count <= maximumKeySize else { throw badKey(key.count) }
}

@inline(never)
private func badKey(_ count: Int) -> EmbeddingError {
  EmbeddingError(
    .invalidArgument,
    "a key has 1 to \(maximumKeySize) bytes, not \(count): store a hash of longer ones")
}

@inline(never)
private func staleHandle(_ database: NamedDatabase) -> EmbeddingError {
  EmbeddingError(
    .notFound,
    "the named database \(database.name) was dropped, its creation was undone, or it belongs to "
      + "another environment: open it again")
}
