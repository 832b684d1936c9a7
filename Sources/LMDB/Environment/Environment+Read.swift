import CLMDB
import Glibc
package import StorageBase

extension Environment {
  /// Reads the last commit: `body` sees it whole, whatever is committed meanwhile.
  ///
  /// Cheap: a reset transaction is renewed, with no system call but `getpid`. May be nested, and
  /// used inside `write` (where it sees the last commit, not the transaction). Memory that `body`
  /// gets from the transaction is gone when it returns.
  package func read<R: ~Copyable>(
    _ body: (borrowing ReadTransaction) throws(EmbeddingError) -> R
  ) throws(EmbeddingError) -> R {
    let transaction = try begin(isOwned: false)
    return try body(transaction)
  }

  /// Begins a read transaction that lives as long as its value, in whatever thread.
  ///
  /// It pins one commit: as long as it lives, no page of that commit is used again (the file
  /// grows), and the map cannot grow.
  package func beginRead() throws(EmbeddingError) -> ReadTransaction {
    try begin(isOwned: true)
  }

  private func begin(isOwned: Bool) throws(EmbeddingError) -> ReadTransaction {
    var mayAdopt = true
    while true {
      let slot = try takeSlot(isOwned: isOwned)
      var transaction = slot.transaction
      var code =
        if let transaction { mdb_txn_renew(transaction) } else {
          mdb_txn_begin(slot.environment, nil, UInt32(MDB_RDONLY), &transaction)
        }
      if code == MDB_READERS_FULL {
        // The slots may be those of processes that were killed.
        var cleared: Int32 = 0
        if mdb_reader_check(slot.environment, &cleared) == MDB_SUCCESS, cleared > 0 {
          code = mdb_txn_begin(slot.environment, nil, UInt32(MDB_RDONLY), &transaction)
        }
      }
      if code == MDB_SUCCESS, let transaction {
        if slot.transaction == nil {
          monitor.withLock { $0.slots[slot.index].transaction = transaction }
        }
        return ReadTransaction(
          environment: self, slot: slot.index,
          handle: TransactionHandle(raw: transaction, generations: generations))
      }
      releaseSlot(slot.index)
      guard code == MDB_MAP_RESIZED, mayAdopt else {
        throw lmdbError(code, "beginning a read transaction")
      }
      mayAdopt = false
      try adoptMapSizeForReading()
    }
  }

  /// Ends a read transaction and keeps it for the next one.
  func endRead(_ transaction: OpaquePointer, slot: Int) {
    guard getpid() == process else { return }
    mdb_txn_reset(transaction)
    releaseSlot(slot)
  }
}
