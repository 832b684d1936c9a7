import CLMDB
import Glibc
package import StorageBase

extension Environment {
  /// Runs `body` in a write transaction and commits it; aborts it when `body` throws.
  ///
  /// Writers take turns, over all threads and processes. **`body` must be repeatable**: where the
  /// memory map is full, it grows and the whole body runs again, in a new transaction, its earlier
  /// writes undone.
  ///
  /// Throws `.reentrancy` inside another `write` of the same thread and environment; `.mapFull`
  /// where the map must grow while this thread holds a read transaction; `.diskFull`, after which
  /// the data is as before and the next write works once there is room; `.io` or `.poisoned` where
  /// it is unknown what is durable (see `settle`).
  package func write<R>(
    _ body: (borrowing WriteTransaction) throws(EmbeddingError) -> R
  ) throws(EmbeddingError) -> R {
    try checkWritable()
    let environment = try takeWriter("a write transaction was begun")
    defer { releaseWriter() }
    clearStaleReadersNowAndThen(environment)
    while true {
      if let result = try attempt(environment, body) { return result }
      try grow()
    }
  }

  func checkWritable() throws(EmbeddingError) {
    guard !options.isReadOnly else {
      throw EmbeddingError(.readOnly, "\(path) was opened read-only: open it for writing")
    }
  }

  /// One run of `body`; nil where the map was full.
  private func attempt<R>(
    _ environment: OpaquePointer,
    _ body: (borrowing WriteTransaction) throws(EmbeddingError) -> R
  ) throws(EmbeddingError) -> R? {
    let raw = try beginWrite(environment)
    let progress = WriteProgress()
    let transaction = WriteTransaction(
      environment: self, handle: TransactionHandle(raw: raw, generations: generations),
      progress: progress)
    do throws(EmbeddingError) {
      let result = try body(transaction)
      // LMDB would refuse to commit after a failed write; name the failure that `body` passed over.
      if let failure = progress.failure { throw failure }
      try commit(raw, progress, environment)
      return result
    } catch {
      if !progress.isFinished {
        end(raw) { mdb_txn_abort($0) }
        forget(progress.opened)
        if progress.failureCode != 0, progress.failureCode != MDB_MAP_FULL {
          try settle(progress.failureCode, isCommit: false, environment)
        }
      }
      if progress.failureCode == MDB_MAP_FULL { return nil }
      throw error
    }
  }

  private func beginWrite(_ environment: OpaquePointer) throws(EmbeddingError) -> OpaquePointer {
    var raw: OpaquePointer?
    var code = mdb_txn_begin(environment, nil, 0, &raw)
    if code == MDB_MAP_RESIZED {
      try adoptMapSize()
      code = mdb_txn_begin(environment, nil, 0, &raw)
    }
    try check(code, "beginning a write transaction")
    return raw!
  }

  private func commit(
    _ raw: OpaquePointer, _ progress: WriteProgress, _ environment: OpaquePointer
  ) throws(EmbeddingError) {
    let code: Int32
    if progress.dropped.isEmpty {
      code = end(raw, mdb_txn_commit)
      progress.isFinished = true
    } else {
      // Removing a database closes its handle at once, for every reader too: none may be looking.
      code = try withGateClosed(for: .dropDatabase) { (_) throws(EmbeddingError) -> Int32 in
        forget(progress.dropped)
        for database in progress.dropped {
          try check(mdb_drop(raw, database, 1), "dropping a named database")
        }
        let code = end(raw, mdb_txn_commit)
        progress.isFinished = true
        return code
      }
    }
    guard code != MDB_SUCCESS else { return }
    progress.failureCode = code
    forget(progress.opened)
    if code == MDB_MAP_FULL { throw lmdbError(code, "committing") }
    try settle(code, isCommit: true, environment)
  }

  /// Ends a transaction by `call`, and frees what some versions of LMDB forget then.
  private func end<R>(_ raw: OpaquePointer, _ call: (OpaquePointer) -> R) -> R {
    let forgotten = clmdb_forgotten_list(raw)
    defer { clmdb_free_list(forgotten) }
    return call(raw)
  }

  /// Makes every copy of these handles invalid.
  private func forget(_ databases: [UInt32]) {
    for database in databases { generations[Int(database)] = 0 }
  }

  private func clearStaleReadersNowAndThen(_ environment: OpaquePointer) {
    let isDue = monitor.withLock { state in
      state.writesSinceReaderCheck += 1
      guard state.writesSinceReaderCheck >= 64 else { return false }
      state.writesSinceReaderCheck = 0
      return true
    }
    if isDue { mdb_reader_check(environment, nil) }
  }
}
