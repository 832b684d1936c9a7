import CLMDB
package import StorageBase

/// A write transaction, lent to the closure of `Environment.write`; it cannot outlive it.
///
/// Reading sees its own writes. A value's bytes must not come from this same transaction: LMDB may
/// move them while it writes.
package struct WriteTransaction: ~Copyable, ReadableTransaction {
  package let handle: TransactionHandle
  package var progress: WriteProgress? { state }
  let state: WriteProgress
  let environment: Environment

  init(environment: Environment, handle: TransactionHandle, progress: WriteProgress) {
    self.environment = environment
    self.handle = handle
    state = progress
  }

  /// The number that the commit will have.
  package var id: UInt64 { UInt64(mdb_txn_id(handle.raw)) }

  /// Sets the value of `key`, whether it has one or not.
  package func put(
    _ key: UInt64, _ value: UnsafeRawBufferPointer, in database: NamedDatabase
  ) throws(EmbeddingError) {
    try put(key, value, in: database, flags: 0)
  }

  /// Sets the value of `key` (1 to 511 bytes), whether it has one or not.
  package func put(
    _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, in database: NamedDatabase
  ) throws(EmbeddingError) {
    try put(key, value, in: database, flags: 0)
  }

  /// Adds a key above all others: faster than `put`, and packs the pages full. Throws
  /// `.invalidArgument` where it is not.
  package func append(
    _ key: UInt64, _ value: UnsafeRawBufferPointer, in database: NamedDatabase
  ) throws(EmbeddingError) {
    try put(key, value, in: database, flags: MDB_APPEND)
  }

  /// Adds a key above all others: faster than `put`, and packs the pages full. Throws
  /// `.invalidArgument` where it is not.
  package func append(
    _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, in database: NamedDatabase
  ) throws(EmbeddingError) {
    try put(key, value, in: database, flags: MDB_APPEND)
  }

  /// Makes room for a value of `count` bytes for the caller to fill before the next write. What it
  /// holds until then is undefined; it stands at any address.
  package func reserve(
    _ key: UInt64, count: Int, in database: NamedDatabase
  ) throws(EmbeddingError) -> UnsafeMutableRawBufferPointer {
    precondition(database.hasIntegerKeys, "the named database has byte-string keys")
    try handle.check(database)
    var key = key
    var value = MDB_val(mv_size: count, mv_data: nil)
    let code = withUnsafeMutableBytes(of: &key) { bytes in
      var key = MDB_val(mv_size: bytes.count, mv_data: bytes.baseAddress)
      return mdb_put(handle.raw, database.dbi, &key, &value, UInt32(MDB_RESERVE))
    }
    try state.check(code, "writing a value")
    return UnsafeMutableRawBufferPointer(start: value.mv_data, count: count)
  }

  /// Removes `key`; false where it had no value.
  @discardableResult
  package func delete(
    _ key: UInt64, in database: NamedDatabase
  ) throws(EmbeddingError) -> Bool {
    precondition(database.hasIntegerKeys, "the named database has byte-string keys")
    try handle.check(database)
    var key = key
    let code = withUnsafeMutableBytes(of: &key) { bytes in
      var key = MDB_val(mv_size: bytes.count, mv_data: bytes.baseAddress)
      return mdb_del(handle.raw, database.dbi, &key, nil)
    }
    return try deleted(code)
  }

  /// Removes `key`; false where it had no value.
  @discardableResult
  package func delete(
    _ key: UnsafeRawBufferPointer, in database: NamedDatabase
  ) throws(EmbeddingError) -> Bool {
    var key = try keyValue(key, database)
    try handle.check(database)
    return try deleted(mdb_del(handle.raw, database.dbi, &key, nil))
  }

  private func deleted(_ code: Int32) throws(EmbeddingError) -> Bool {
    if code == MDB_NOTFOUND { return false }
    try state.check(code, "deleting a value")
    return true
  }

  private func put(
    _ key: UInt64, _ value: UnsafeRawBufferPointer, in database: NamedDatabase, flags: Int32
  ) throws(EmbeddingError) {
    precondition(database.hasIntegerKeys, "the named database has byte-string keys")
    try handle.check(database)
    var key = key
    var value = MDB_val(value)
    let code = withUnsafeMutableBytes(of: &key) { bytes in
      var key = MDB_val(mv_size: bytes.count, mv_data: bytes.baseAddress)
      return mdb_put(handle.raw, database.dbi, &key, &value, UInt32(flags))
    }
    try state.check(code, "writing a value")
  }

  private func put(
    _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, in database: NamedDatabase,
    flags: Int32
  ) throws(EmbeddingError) {
    var key = try keyValue(key, database)
    try handle.check(database)
    var value = MDB_val(value)
    try state.check(
      mdb_put(handle.raw, database.dbi, &key, &value, UInt32(flags)), "writing a value")
  }
}
