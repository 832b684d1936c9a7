package import StorageBase

/// What read and write transactions have in common: reading.
///
/// Values are lent straight from the memory map. They **stand at any address**, odd ones included:
/// use unaligned loads only. They are valid until the transaction ends and, in a write transaction,
/// until its next write.
package protocol ReadableTransaction: ~Copyable {
  /// What the reading functions work on; not for callers.
  var handle: TransactionHandle { get }
  /// The state of a write transaction; nil in a read transaction.
  var progress: WriteProgress? { get }
}

extension ReadableTransaction where Self: ~Copyable {
  /// The value of `key` in a database with integer keys, nil where there is none. Traps where the
  /// database has byte-string keys.
  @inlinable
  package func get(
    _ key: UInt64, in database: NamedDatabase
  ) throws(EmbeddingError) -> UnsafeRawBufferPointer? {
    try handle.get(key, in: database)
  }

  /// The value of `key` (1 to 511 bytes) in a database with byte-string keys, nil where there is
  /// none. Traps where the database has integer keys.
  @inlinable
  package func get(
    _ key: UnsafeRawBufferPointer, in database: NamedDatabase
  ) throws(EmbeddingError) -> UnsafeRawBufferPointer? {
    try handle.get(key, in: database)
  }

  /// The entries and pages of `database`, as this transaction sees it.
  package func statistics(of database: NamedDatabase) throws(EmbeddingError) -> DatabaseStatistics {
    try handle.statistics(of: database)
  }

  /// Lends a cursor over `database`.
  @inlinable
  package func withCursor<R>(
    _ database: NamedDatabase, _ body: (borrowing Cursor) throws(EmbeddingError) -> R
  ) throws(EmbeddingError) -> R {
    try handle.withCursor(database, progress, body)
  }
}
