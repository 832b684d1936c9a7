import LMDB
import StorageBase
import Synchronization

/// Where the rows of a table's last commit stand, as far as it is known in memory: what makes a
/// lookup past the row cache fast.
///
/// ``RowNumberCache`` says which row an Int64 id has, ``BlockAddresses`` where the block of that row
/// is in the memory map. Neither has to know: what is missing is found in the trees, and noted.
final class RowLocations: Sendable {
  private let numbers: RowNumberCache?
  private let addresses: BlockAddresses?
  private let layout: BlockLayout

  /// The rows of the table in a commit.
  private struct Extent {
    var transaction: UInt64 = 0
    var rowCount: UInt64
  }
  private let extent: Mutex<Extent>

  init(_ record: TableRecord, budget: CacheBudget, pageSize: Int) {
    layout = record.layout
    extent = Mutex(Extent(rowCount: record.rowCount))
    // The trees tell byte-string ids with equal hashes apart; blocks do not hold them.
    numbers = record.configuration.idType == .int64 ? RowNumberCache(budget: budget) : nil
    addresses =
      BlockAddresses.isUsable(byteCount: record.layout.byteCount, pageSize: pageSize)
      ? BlockAddresses(budget: budget) : nil
  }

  /// What may be used in a read transaction, and no longer than it lasts.
  struct Lease {
    let numbers: RowNumbers?
    let addresses: BlockAddresses.Lease?
  }

  /// - Parameter record: reads the table's record in the transaction. Called where the commit is
  ///   another one than last time.
  func lease(
    _ transaction: borrowing ReadTransaction,
    record: (borrowing ReadTransaction) throws(EmbeddingError) -> TableRecord?
  ) throws(EmbeddingError) -> Lease {
    let id = transaction.id
    var rowCount = extent.withLock { $0.transaction == id ? $0.rowCount : nil }
    if rowCount == nil {
      let count = try record(transaction)?.rowCount ?? 0
      rowCount = count
      extent.withLock { if $0.transaction < id { $0 = Extent(transaction: id, rowCount: count) } }
    }
    let blockCount = layout.blockCount(rows: rowCount ?? 0)
    return Lease(
      // The addresses, a twentieth of what the row numbers take, are not to be left without room.
      numbers: numbers?.lease(rowCount: rowCount ?? 0, leaving: Int(blockCount) * 9),
      addresses: addresses?.lease(
        transaction: id, mapMoves: transaction.mapMoves, blockCount: blockCount))
  }

  // MARK: Commits

  /// Announces a commit of this process, before it can be seen.
  func expect(_ transaction: UInt64) { addresses?.expect(transaction) }

  /// Takes over which blocks a commit changed. No batch is at work.
  func advance(to transaction: UInt64, changedBlocks: [Int], rowCount: UInt64) {
    addresses?.advance(
      to: transaction, changed: changedBlocks, blockCount: layout.blockCount(rows: rowCount))
    extent.withLock { $0 = Extent(transaction: transaction, rowCount: rowCount) }
  }

  /// Notes the numbers of rows that are new, moved or gone. Batches may be at work.
  func note(_ commit: TableCommit, _ result: TableCommit.Result) {
    guard let numbers = numbers?.current else { return }
    for row in commit.deleted { numbers.move(row.hash, from: row.row, to: nil) }
    for move in result.moves { numbers.move(RowKey.hash(move.key), from: move.from, to: move.to) }
    let new = commit.new
    for i in new.indices {
      if i + 8 < new.count { numbers.prefetch(new[i + 8].hash) }
      numbers.store(new[i].hash, row: result.newNumbers[i])
    }
  }

  /// Forgets all.
  func removeAll() {
    numbers?.removeAll()
    addresses?.removeAll()
  }
}
