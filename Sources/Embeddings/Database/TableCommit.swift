import LMDB
import StorageBase
import Synchronization

/// One table's part of a commit: what changed, how it is written, what is known afterwards.
///
/// Training goes on meanwhile: rows that are about to change are copied first. Row numbers stay
/// dense: new rows take the numbers of deleted ones first, and where deleted ones are left over, the
/// last rows of the table move into their places. `write` may run twice (the map had to grow), so it
/// changes nothing but the transaction.
struct TableCommit {
  struct Result {
    var record: TableRecord
    /// The numbers that its new rows have now.
    var numbers: NewNumbers
    /// Rows that moved: key, old and new number.
    var moves: [(key: UInt64, from: UInt64, to: UInt64)] = []
    var changedBlocks: [Int] = []
    /// What the table's policy did after that; the record is that of afterwards.
    var eviction: TableEviction?
  }

  let table: TableCore
  /// How it gives way to training; nil where it does not.
  let pace: Pace?
  let rows: CommitRows
  /// What `uncommittedRows` counts of these changes.
  private let fixedRows: Int
  /// What had become of ids.
  private let life: LifeCounts

  /// Collects the changed rows of the commit under way.
  init(_ fixed: CommitQueue.FixedTable, at pace: Pace?) {
    table = fixed.core
    self.pace = pace
    fixedRows = fixed.rows
    life = fixed.life
    // Other threads are for those who wait for the commit.
    let isHurried = pace?.isHurried ?? true
    rows = CommitRows(
      table.cache, table.storage.idType,
      threadCount: isHurried
        ? min(ThreadGroup.processorCount, fixed.rows / Self.leastRowsForThread) : 1,
      at: pace)
  }

  /// Rows for which a thread costs less than it saves.
  private static let leastRowsForThread = 16_384

  /// Whether there is nothing to take over.
  var isEmpty: Bool {
    rows.count == 0 && rows.deleted.isEmpty && rows.gone.isEmpty && hasSeenNothing
  }

  /// Whether no id without a row was seen, or trained a shared one.
  private var hasSeenNothing: Bool {
    if let shared = table.shared {
      for shard in shared.cache.shards where shard.withRows({ $0.runningCount }) > 0 {
        return false
      }
    }
    return table.admission?.loadedFilter?.hasRunning != true
      && life == table.state.withLock { $0.record.life }
  }

  // MARK: Writing

  /// What a commit that is given up throws.
  static let givenUp = EmbeddingError(.cancelled, "The commit was given up.")

  /// Writes the changes, as part of the commit `stamp`, and with `evicting` what the table's policy
  /// does to it.
  ///
  /// - Parameter isOver: whether the commit is to be given up, by how many rows are written; asked now
  ///   and then.
  /// - Throws: `givenUp`, among others.
  func write(
    _ stamp: CommitStamp, evicting: Bool, in transaction: borrowing WriteTransaction,
    givingUp isOver: (_ rowsWritten: Int) -> Bool
  ) throws(EmbeddingError) -> Result {
    if isOver(0) { throw Self.givenUp }
    var record = table.state.withLock { $0.record }
    let storage = table.storage
    let oldCount = record.rowCount
    var recorder = ChangeRecorder(storage, record, stamp)
    try deleteIDs(&recorder, in: transaction)

    // Numbers: holes first, then the end of the table.
    let free = rows.deleted.map(\.row)
    let (taken, holes) = (free.prefix(rows.newByKey.count), free.dropFirst(rows.newByKey.count))
    let numbers = NewNumbers(holes: taken, first: oldCount)
    let count = oldCount + UInt64(rows.newByKey.count - taken.count) - UInt64(holes.count)
    // A hole that a new row takes loses its old frequency when it is overwritten.
    let lost = try frequency(of: holes, in: transaction)
    let moves = try movesInto(holes, from: count..<max(count, oldCount), in: transaction)
    record.rowCount = count
    var edits = BlockEdits(
      storage: storage, cache: table.cache,
      rows: NumberedRows(
        rows, numbers, moves: Dictionary(uniqueKeysWithValues: moves.map { ($0.from, $0.to) }),
        generation: stamp.generation, layout: storage.layout),
      moves: moves.map { ($0.to, $0.from) },
      ids: try NewIDs(rows, numbers, storage, at: pace, in: transaction), pace: pace)
    let frequencyChange = try edits.write(
      oldCount: oldCount, newCount: count, in: transaction, givingUp: isOver)
    record.totalFrequency = record.totalFrequency &+ frequencyChange &- lost
    record.life = life
    try table.admission?.loadedFilter?.write(
      generation: stamp.generation, in: transaction, tree: storage.state)
    for number in edits.changedBlocks {
      try recorder.noteBlock(UInt64(number), in: transaction)
    }
    recorder.content = edits.content
    // A table whose ids have to earn their rows is in another state too where only that changed.
    if let filter = table.admission?.loadedFilter, filter.hasRunning {
      recorder.content.add(filter.runningDigest)
    }
    var eviction: TableEviction?
    if evicting {
      eviction = try TableEviction(policyOf: table, &record, &recorder, in: transaction)
    }
    if !isEmpty || eviction?.isChange == true { try recorder.finish(&record, in: transaction) }
    return Result(
      record: record, numbers: numbers, moves: moves, changedBlocks: edits.changedBlocks,
      eviction: eviction)
  }

  // MARK: Afterwards

  /// Takes over what the commit made true of the table as a whole, once it is durable. No batch is
  /// at work meanwhile: they see rows where they stand now, and count all that there are.
  func publish(_ result: Result) {
    let cache = table.cache
    for move in result.moves {
      cache.shard(ofKey: move.key).withRows { rows in
        let slot = rows.find(key: move.key, row: move.from)
        if slot >= 0 { rows.renumber(slot, to: move.to) }
      }
    }
    for row in rows.deleted {
      cache.shards[Int(row.shard)].withRows { $0.markCommitted(deleted: row) }
    }
    cache.counts.setRows(result.record.rowCount)
    table.state.withLock { state in
      // Not the record as a whole: the optimizer may have been changed meanwhile.
      state.record.rowCount = result.record.rowCount
      state.record.totalFrequency = result.record.totalFrequency
      state.record.life = life
      state.record.history = result.record.history
      table.uncommittedRows.subtract(fixedRows, ordering: .relaxed)
      table.rowsUnderWay.store(0, ordering: .relaxed)
    }
  }

  /// Lets the rows go, beside batches at work.
  func release(_ result: Result) {
    rows.release(result.numbers, at: pace)
    table.locations.note(self, result)
    for (k, row) in rows.gone.enumerated() {
      if k % 128 == 0 { pace?.giveWay() }
      table.cache.shards[Int(row.shard)].withRows { $0.markCommitted(deleted: row) }
    }
    for shard in table.cache.shards { shard.withRows { $0.endCommit() } }
  }

  /// Takes over that the commit failed: all of it is still to be written. No batch is at work.
  func takeBack() {
    table.rowsUnderWay.store(0, ordering: .relaxed)
    for shard in table.cache.shards { shard.withRows { $0.abandonCommit() } }
    table.admission?.loadedFilter?.abandonCommit()
  }
}
