import CLMDB
import StorageBase
import Synchronization

/// A read transaction: sees one commit, whole, until it ends.
///
/// It may move between threads, and be used by one thread at a time. It must not be used in a
/// forked child.
package struct ReadTransaction: ~Copyable, ReadableTransaction, Sendable {
  package let handle: TransactionHandle
  package var progress: WriteProgress? { nil }
  let environment: Environment
  let slot: Int

  init(environment: Environment, slot: Int, handle: TransactionHandle) {
    self.environment = environment
    self.slot = slot
    self.handle = handle
  }

  deinit { environment.endRead(handle.raw, slot: slot) }

  /// The number of the commit that it sees: 0 for a new environment, one more for each commit.
  package var id: UInt64 { UInt64(mdb_txn_id(handle.raw)) }

  /// How often the memory map has moved. Between two transactions with the same number here, and
  /// the same `id`, every value stands at the same address.
  package var mapMoves: UInt64 { environment.mapMoves.load(ordering: .relaxed) }
}
