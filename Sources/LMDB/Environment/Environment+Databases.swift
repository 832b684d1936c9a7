import CLMDB
package import StorageBase

extension Environment {
  /// Opens a named database, in a short transaction of its own.
  ///
  /// Gives nil where it does not exist and `create` is false; throws `.configurationMismatch` where
  /// it has the other kind of keys, and `.reentrancy` inside `write` (use the transaction's).
  package func namedDatabase(
    _ name: String, integerKeys: Bool, create: Bool
  ) throws(EmbeddingError) -> NamedDatabase? {
    if create {
      return try write { (transaction) throws(EmbeddingError) in
        try transaction.namedDatabase(name, integerKeys: integerKeys, create: true)
      }
    }
    // LMDB wants handles to be opened one at a time, hence the right to write.
    _ = try takeWriter("a named database was opened")
    defer { releaseWriter() }
    var mayAdopt = true
    while true {
      let slot = try takeSlot()
      var raw: OpaquePointer?
      let code = mdb_txn_begin(slot.environment, nil, UInt32(MDB_RDONLY), &raw)
      if code == MDB_MAP_RESIZED, mayAdopt {
        releaseSlot(slot.index)
        mayAdopt = false
        try adoptMapSize()
        continue
      }
      defer { releaseSlot(slot.index) }
      try check(code, "beginning a read transaction")
      let opened: (database: NamedDatabase, isNew: Bool)?
      do throws(EmbeddingError) {
        opened = try openDatabase(raw!, name, integerKeys: integerKeys, create: false)
      } catch {
        mdb_txn_abort(raw)
        throw error
      }
      // Committing, not aborting, is what keeps the handle.
      try check(mdb_txn_commit(raw), "opening the named database \(name)")
      return opened?.database
    }
  }

  /// Opens a handle within the transaction `raw`; `isNew` where it was not open before.
  func openDatabase(
    _ raw: OpaquePointer, _ name: String, integerKeys: Bool, create: Bool
  ) throws(EmbeddingError) -> (database: NamedDatabase, isNew: Bool)? {
    guard !name.isEmpty, name.utf8.count <= maximumKeySize, !name.utf8.contains(0) else {
      throw EmbeddingError(
        .invalidArgument,
        "the name of a database has 1 to \(maximumKeySize) bytes, none of them zero, unlike "
          + "\"\(name)\": choose another"
      )
    }
    var flags = integerKeys ? MDB_INTEGERKEY : 0
    if create { flags |= MDB_CREATE }
    var dbi: MDB_dbi = 0
    let code = mdb_dbi_open(raw, name, UInt32(flags), &dbi)
    if code == MDB_NOTFOUND { return nil }
    try check(code, "opening the named database \(name)")
    var stored: UInt32 = 0
    try check(mdb_dbi_flags(raw, dbi, &stored), "opening the named database \(name)")
    let storedIntegerKeys = stored & UInt32(MDB_INTEGERKEY) != 0
    let isNew = generations[Int(dbi)] == 0
    guard storedIntegerKeys == integerKeys else {
      throw EmbeddingError(
        .configurationMismatch,
        "the named database \(name) has \(storedIntegerKeys ? "integer" : "byte-string") keys, and "
          + "was opened for \(integerKeys ? "integer" : "byte-string") keys")
    }
    if isNew { generations[Int(dbi)] = Self.nextGeneration() }
    return (
      NamedDatabase(
        name: name, hasIntegerKeys: integerKeys, dbi: dbi, generation: generations[Int(dbi)]),
      isNew
    )
  }
}
