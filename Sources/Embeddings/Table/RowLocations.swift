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

  /// Whether the trees are to be gone through, so that all is known.
  private struct Fill {
    /// Ids that were looked for in the id tree since that was done.
    var descents = 0
    var isRunning = false
    /// The row numbers that were filled.
    weak var filled: RowNumbers?
  }
  private let fill = Mutex(Fill())

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

  // MARK: Filling

  /// Counts ids that were looked for in the id tree; true where the caller is to go through the trees
  /// now, and to call ``endFill(_:)`` afterwards: when as many were looked for as make it cheap beside
  /// them, once for each memory of row numbers.
  func noteDescents(_ count: Int) -> Bool {
    guard count > 0, let numbers else { return false }
    let rowCount = extent.withLock { $0.rowCount }
    return fill.withLock { fill in
      fill.descents += count
      guard !fill.isRunning, fill.descents >= max(4096, rowCount / 2048),
        fill.filled == nil || fill.filled !== numbers.current
      else { return false }
      fill.isRunning = true
      numbers.wantAll()
      return true
    }
  }

  func endFill(_ progress: LocationFill) {
    fill.withLock {
      $0.isRunning = false
      $0.descents = 0
      // Where there was no room for all, not again either.
      $0.filled = progress.numbers ?? numbers?.current
    }
  }

  /// Whether the trees were gone through, and are not now.
  var isFilled: Bool { fill.withLock { !$0.isRunning && $0.filled != nil } }

  /// The row numbers that are known, if there are any.
  var knownNumbers: RowNumbers? { numbers?.current }

  /// Whether all rows have room there.
  func hasRoom(in numbers: RowNumbers) -> Bool {
    extent.withLock { $0.rowCount <= numbers.shape.entries }
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
    for row in commit.rows.deleted { numbers.move(row.hash, from: row.row, to: nil) }
    for move in result.moves { numbers.move(RowKey.hash(move.key), from: move.from, to: move.to) }
    let new = commit.rows.newByKey
    func hash(_ i: Int) -> UInt64 { RowKey.hash(TableStorage.key(int64TreeKey: new[i].key)) }
    for i in new.indices {
      if i + 8 < new.count { numbers.prefetch(hash(i + 8)) }
      numbers.store(hash(i), row: result.numbers[Int(new[i].value)])
    }
  }

  /// Forgets all.
  func removeAll() {
    numbers?.removeAll()
    addresses?.removeAll()
  }
}
