import CKernels
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
    /// The number that each of the commit's rows has now.
    var numbers: [UInt64] = []
    /// Rows that moved: key, old and new number.
    var moves: [(key: UInt64, from: UInt64, to: UInt64)] = []
    var changedBlocks: [Int] = []
    /// What the table's policy did after that; the record is that of afterwards.
    var eviction: TableEviction?
  }

  let table: TableCore
  /// How it gives way to training; nil where it does not.
  let pace: Pace?
  /// The rows that are changed or new, shard by shard, in the order in which they changed.
  private(set) var rows: [ChangedRow] = []
  /// By row number.
  private(set) var deleted: [ChangedRow] = []
  /// Rows that came and went since the last commit.
  private var gone: [ChangedRow] = []
  /// Which of the rows are new, by falling frequency, so that those that will change together stand
  /// together; with equal frequencies by key, so that the order does not depend on threads.
  private var new: [UInt32] = []
  /// The new rows in the order of the id tree.
  private(set) var newByKey: [KeyedIndex] = []
  /// What `uncommittedRows` counts of these changes.
  private let fixedRows: Int
  /// What had become of ids.
  private let life: LifeCounts

  /// Collects the changed rows of the commit under way, a few under each lock.
  init(_ fixed: CommitQueue.FixedTable, at pace: Pace?) {
    table = fixed.core
    self.pace = pace
    fixedRows = fixed.rows
    life = fixed.life
    let counts = table.cache.shards.map { $0.withRows { $0.runningCount } }
    rows.reserveCapacity(counts.reduce(0, +))
    var some: [ChangedRow] = []
    for (shard, count) in zip(table.cache.shards, counts) {
      var start = 0
      while start < count {
        let end = min(start + 256, count)
        some.removeAll(keepingCapacity: true)
        shard.withRows { $0.appendRunning(start..<end, to: &some) }
        start = end
        pace?.giveWay()
        for row in some {
          if !row.isDeleted {
            rows.append(row)
          } else if row.isNew {
            gone.append(row)
          } else {
            deleted.append(row)
          }
        }
      }
    }
    deleted.sort { $0.row < $1.row }
    sortNewRows()
  }

  private mutating func sortNewRows() {
    // Beside the rows, not within: they are met in random order.
    var frequencies = [UInt32](repeating: 0, count: rows.count)
    newByKey.reserveCapacity(rows.count { $0.isNew })
    for (i, row) in rows.enumerated() where row.isNew {
      frequencies[i] = UInt32(clamping: row.counts.frequency)
      newByKey.append(KeyedIndex(key: table.storage.treeKey(row.key), index: UInt32(i)))
    }
    radixSort(&newByKey)
    // This sort keeps the order by key among equal frequencies.
    var order = newByKey.map {
      KeyedIndex(key: UInt64(UInt32.max - frequencies[Int($0.index)]), index: $0.index)
    }
    radixSort(&order)
    new = order.map(\.index)
  }

  /// Whether there is nothing to take over.
  var isEmpty: Bool {
    rows.isEmpty && deleted.isEmpty && gone.isEmpty && hasSeenNothing
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

  /// Writes the changes, as part of the commit `stamp`, and with `evicting` what the table's policy
  /// does to it.
  func write(
    _ stamp: CommitStamp, evicting: Bool, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> Result {
    var record = table.state.withLock { $0.record }
    let storage = table.storage
    let oldCount = record.rowCount
    var recorder = ChangeRecorder(storage, record, stamp)
    for row in deleted { try deleteID(row, &recorder, in: transaction) }

    // Numbers: holes first, then the end of the table.
    var holes = deleted.map(\.row)[...]
    var count = oldCount
    var numbers = rows.map(\.row)
    for i in new {
      if let hole = holes.popFirst() {
        numbers[Int(i)] = hole
      } else {
        numbers[Int(i)] = count
        count += 1
      }
    }
    count -= UInt64(holes.count)
    // A hole that a new row takes loses its old frequency when it is overwritten.
    let lost = try frequency(of: holes, in: transaction)
    let moves = try movesInto(holes, from: count..<max(count, oldCount), in: transaction)
    try insertIDs(numbers, in: transaction)

    record.rowCount = count
    if !moves.isEmpty {
      let moved = Dictionary(uniqueKeysWithValues: moves.map { ($0.from, $0.to) })
      for i in numbers.indices where !rows[i].isNew {
        numbers[i] = moved[numbers[i]] ?? numbers[i]
      }
    }
    var edits = BlockEdits(
      storage: storage, cache: table.cache,
      rows: NumberedRows(
        rows, numbers: numbers, new: new, generation: stamp.generation, cache: table.cache,
        layout: storage.layout),
      moves: moves.map { ($0.to, $0.from) }, pace: pace)
    let frequencyChange = try edits.write(
      oldCount: oldCount, newCount: count, in: transaction)
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
    for row in deleted {
      cache.shards[Int(row.shard)].withRows { $0.markCommitted(row, number: row.row) }
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
    release(rows, result.numbers)
    table.locations.note(self, result)
    release(gone, gone.map(\.row))
    for shard in table.cache.shards { shard.withRows { $0.endCommit() } }
  }

  /// Lets rows go that come shard by shard, a few under each lock.
  private func release(_ rows: [ChangedRow], _ numbers: [UInt64]) {
    var k = 0
    while k < rows.count {
      pace?.giveWay()
      let number = rows[k].shard
      table.cache.shards[Int(number)].withRows { shard in
        let end = min(k + 128, rows.count)
        while k < end, rows[k].shard == number {
          // Unsafe: asked for, not read.
          if k + 16 < rows.count {
            let ahead = rows[k + 16]
            ck_prefetch(table.cache.layout.header(Int(ahead.slot), ofFloats: ahead.memory))
          }
          shard.markCommitted(rows[k], number: numbers[k])
          k += 1
        }
      }
    }
  }

  /// Takes over that the commit failed: all of it is still to be written. No batch is at work.
  func takeBack() {
    table.rowsUnderWay.store(0, ordering: .relaxed)
    for shard in table.cache.shards { shard.withRows { $0.abandonCommit() } }
    table.admission?.loadedFilter?.abandonCommit()
  }
}
