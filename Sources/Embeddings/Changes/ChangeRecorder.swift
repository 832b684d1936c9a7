import LMDB
import Snapshots
import StorageBase

/// Takes down what one transaction changes of a table, so that deltas find it: changed blocks and
/// deleted ids as they come, and at the end the new state of the table.
///
/// Every transaction that changes rows of a table uses one, and writes the record that ``finish``
/// has completed. The cost follows what changes.
struct ChangeRecorder: ~Copyable {
  let stamp: CommitStamp
  /// What the changed blocks hold.
  var content = ContentHash()
  /// The identity of the state that the change leads to, where it is one that another table was in;
  /// nil makes one.
  var identity: SnapshotIdentity?
  private let storage: TableStorage
  private var blocks: [Range<UInt64>] = []
  /// The end of the blocks that there were at any time of the transaction.
  private var blocksEnd: UInt64
  private var tombstones: TombstoneWriter

  /// Ranges of blocks that are collected before they are written.
  private static let maximumRanges = 1 << 16

  /// - Parameter record: the table as it is before.
  init(_ storage: TableStorage, _ record: TableRecord, _ stamp: CommitStamp) {
    self.storage = storage
    self.stamp = stamp
    blocksEnd = storage.layout.blockCount(rows: record.rowCount)
    tombstones = TombstoneWriter(
      storage, generation: stamp.generation,
      limit: TableHistory.maximumDeletions(rows: record.rowCount))
  }

  /// Takes down that a block is written, in any order, and as often as it is.
  mutating func noteBlock(
    _ number: UInt64, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    blocksEnd = max(blocksEnd, number + 1)
    if let last = blocks.last, last.contains(number) || last.upperBound == number {
      blocks[blocks.count - 1] = last.lowerBound..<max(last.upperBound, number + 1)
      return
    }
    if blocks.count == Self.maximumRanges { try flushBlocks(in: transaction) }
    blocks.append(number..<number + 1)
  }

  /// Takes down that an id is deleted.
  ///
  /// - Parameters:
  ///   - treeKey: its key in the id tree.
  ///   - bytes: the bytes of a byte-string id; may stand in the tree.
  mutating func noteDeleted(
    treeKey: UInt64, bytes: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0),
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    try tombstones.append(treeKey: treeKey, bytes: bytes, in: transaction)
  }

  /// Writes what is left, and enters the commit in the table's history.
  ///
  /// - Parameter record: the table as it is now, but for its history.
  mutating func finish(
    _ record: inout TableRecord, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    try tombstones.flush(in: transaction)
    try flushBlocks(in: transaction)
    try ChangeIndex(storage: storage).truncate(
      toBlocks: storage.layout.blockCount(rows: record.rowCount), from: blocksEnd,
      in: transaction)
    var history = record.history
    history.advance(to: record, stamp, content: content)
    if let identity { history.identity = identity }
    record.history = history
    try enterCommit(&record, in: transaction)
  }

  /// Adds the commit to the log, and forgets the oldest ones that there is no room for.
  private mutating func enterCommit(
    _ record: inout TableRecord, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    let log = CommitLog(storage: storage)
    try log.append(
      CommitLog.Entry(
        generation: stamp.generation, point: stamp.point, identity: record.history.identity,
        deletions: tombstones.count),
      in: transaction)
    record.history.commits += 1
    record.history.deletions += tombstones.count
    let maximum = TableHistory.maximumDeletions(rows: record.rowCount)
    while record.history.floor < stamp.generation,
      record.history.commits > TableHistory.maximumCommits
        || record.history.deletions > maximum || tombstones.isOverflowing
    {
      try forgetOldest(&record, log, in: transaction)
    }
  }

  /// Makes the second oldest commit the oldest one that deltas can begin from: what was deleted up to
  /// it need not be known any more.
  private func forgetOldest(
    _ record: inout TableRecord, _ log: CommitLog, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    guard let oldest = try log.first(in: transaction) else {
      throw storage.corruption("the log of its commits is empty")
    }
    let key = StateRegion.commitLog.key(oldest.generation)
    try transaction.delete(key, in: storage.state)
    record.history.commits -= 1
    guard var next = try log.first(in: transaction) else {
      throw storage.corruption("the log of its commits has gaps")
    }
    record.history.floor = next.generation
    guard next.deletions > 0 else { return }
    try Tombstones(storage: storage).remove(generation: next.generation, in: transaction)
    record.history.deletions -= next.deletions
    next.deletions = 0
    try log.append(next, in: transaction)
  }

  private mutating func flushBlocks(
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    guard !blocks.isEmpty else { return }
    try ChangeIndex(storage: storage).note(
      blocks.merged(), generation: stamp.generation, in: transaction)
    blocks.removeAll(keepingCapacity: true)
  }
}
