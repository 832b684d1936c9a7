import CLMDB
package import StorageBase

extension WriteTransaction {
  /// Opens a named database within this transaction, creating it where it is missing and `create`
  /// is true; else nil. Undoing the transaction undoes the creation, and the handle with it.
  package func namedDatabase(
    _ name: String, integerKeys: Bool, create: Bool
  ) throws(EmbeddingError) -> NamedDatabase? {
    do throws(EmbeddingError) {
      let opened = try environment.openDatabase(
        handle.raw, name, integerKeys: integerKeys, create: create)
      guard let opened else { return nil }
      if opened.isNew { state.opened.append(opened.database.dbi) }
      // Dropped before in this same transaction: empty already, and now it stays.
      state.dropped.removeAll { $0 == opened.database.dbi }
      return opened.database
    } catch {
      // A full map must be noted even where `body` passes over the error.
      if let cause = error.cause as? LMDBError {
        try state.check(cause.rawValue, "opening \(name)")
      }
      throw error
    }
  }

  /// Removes every entry of `database`.
  package func clear(_ database: NamedDatabase) throws(EmbeddingError) {
    try handle.check(database)
    try state.check(mdb_drop(handle.raw, database.dbi, 0), "emptying a named database")
  }

  /// Removes `database`: empties it now, and takes it away at the commit, which waits for this
  /// process's read transactions to end. Every handle to it is invalid from then on.
  package func drop(_ database: NamedDatabase) throws(EmbeddingError) {
    try clear(database)
    if !state.dropped.contains(database.dbi) { state.dropped.append(database.dbi) }
  }
}
