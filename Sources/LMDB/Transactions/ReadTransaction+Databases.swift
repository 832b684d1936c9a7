import CLMDB
package import StorageBase

extension ReadTransaction {
  /// The names of all named databases, sorted.
  ///
  /// They are the keys of LMDB's main database, where nothing else is stored.
  package func databaseNames() throws(EmbeddingError) -> [String] {
    // Handle 1 is the main database.
    var cursor: OpaquePointer?
    try check(mdb_cursor_open(handle.raw, 1, &cursor), "listing the named databases")
    defer { mdb_cursor_close(cursor) }
    var names: [String] = []
    var key = MDB_val()
    var value = MDB_val()
    while true {
      let code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)
      if code == MDB_NOTFOUND { return names }
      try check(code, "listing the named databases")
      names.append(String(decoding: key.bytes, as: UTF8.self))
    }
  }
}
