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
    /// The numbers of the new rows, in their order.
    var newNumbers: [UInt64] = []
    /// Rows that moved: key, old and new number.
    var moves: [(key: UInt64, from: UInt64, to: UInt64)] = []
    var changedBlocks: [Int] = []
    /// What the table's policy did after that; the record is that of afterwards.
    var eviction: TableEviction?
  }

  let table: TableCore
  private(set) var updated: [ChangedRow] = []
  /// By row number.
  private(set) var deleted: [ChangedRow] = []
  /// By falling frequency, so that the rows that will change together stand together; rows of equal
  /// frequency by key, so that the order does not depend on threads.
  private(set) var new: [ChangedRow] = []
  /// Rows that came and went since the last commit.
  private var gone: [ChangedRow] = []
  /// The new rows in the order of the id tree.
  private(set) var newByKey: [KeyedIndex] = []
  /// Where in `new` each row is, in the order of shards and of memory.
  private var newByShard: [UInt32] = []
  /// What `uncommittedRows` counts of these changes.
  private let fixedRows: Int
  /// What had become of ids.
  private let life: LifeCounts

  /// Collects the changed rows of the commit under way, a few under each lock.
  init(_ fixed: CommitQueue.FixedTable) {
    table = fixed.core
    fixedRows = fixed.rows
    life = fixed.life
    let count = table.cache.shards.reduce(0) { $0 + $1.withRows { $0.runningCount } }
    // To grow, a list would take as much again.
    new.reserveCapacity(max(0, min(count, fixed.rows)))
    updated.reserveCapacity(max(0, count - max(0, fixed.rows)))
    var rows: [ChangedRow] = []
    for shard in table.cache.shards {
      let count = shard.withRows { $0.runningCount }
      var start = 0
      while start < count {
        let end = min(start + 256, count)
        rows.removeAll(keepingCapacity: true)
        shard.withRows { $0.appendRunning(start..<end, to: &rows) }
        start = end
        for row in rows {
          switch (row.isDeleted, row.isNew) {
          case (false, false): updated.append(row)
          case (false, true): new.append(row)
          case (true, false): deleted.append(row)
          case (true, true): gone.append(row)
          }
        }
      }
    }
    deleted.sort { $0.row < $1.row }
    sortNewRows()
  }

  private mutating func sortNewRows() {
    let storage = table.storage
    func keyed(_ key: (ChangedRow) -> UInt64) -> [KeyedIndex] {
      new.enumerated().map { KeyedIndex(key: key($0.element), index: UInt32($0.offset)) }
    }
    // By key first; the second sort keeps that order among equal frequencies.
    var byKey = keyed { storage.treeKey($0.key) }
    radixSort(&byKey)
    var order = byKey.map {
      KeyedIndex(key: ~new[Int($0.index)].counts.frequency, index: $0.index)
    }
    radixSort(&order)
    new = order.map { new[Int($0.index)] }
    var place = [UInt32](repeating: 0, count: new.count)
    for (i, element) in order.enumerated() { place[Int(element.index)] = UInt32(i) }
    newByKey = byKey.map { KeyedIndex(key: $0.key, index: place[Int($0.index)]) }
    newByShard = place
  }

  /// Whether there is nothing to take over.
  var isEmpty: Bool {
    updated.isEmpty && deleted.isEmpty && new.isEmpty && gone.isEmpty && hasSeenNothing
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
    var newNumbers: [UInt64] = []
    newNumbers.reserveCapacity(new.count)
    for _ in new {
      if let hole = holes.popFirst() {
        newNumbers.append(hole)
      } else {
        newNumbers.append(count)
        count += 1
      }
    }
    count -= UInt64(holes.count)
    // A hole that a new row takes loses its old frequency when it is overwritten.
    let lost = try frequency(of: holes, in: transaction)
    let moves = try movesInto(holes, from: count..<max(count, oldCount), in: transaction)
    try insertIDs(newNumbers, in: transaction)

    record.rowCount = count
    var edits = BlockEdits(self, generation: stamp.generation)
    for move in moves { edits.moves.append((move.to, move.from)) }
    for i in new.indices { edits.rows.append(new: i, number: newNumbers[i]) }
    let moved = Dictionary(uniqueKeysWithValues: moves.map { ($0.from, $0.to) })
    for i in updated.indices {
      let row = updated[i].row
      edits.rows.append(updated: i, number: moved.isEmpty ? row : moved[row] ?? row)
    }
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
      record: record, newNumbers: newNumbers, moves: moves, changedBlocks: edits.changedBlocks,
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
    let (new, newByShard) = (new, newByShard)
    release(new.count) { k in
      let i = Int(newByShard[k])
      return (new[i], result.newNumbers[i])
    }
    table.locations.note(self, result)
    for rows in [updated, gone] { release(rows.count) { (rows[$0], rows[$0].row) } }
    for shard in table.cache.shards { shard.withRows { $0.endCommit() } }
  }

  /// Lets rows go that come shard by shard, a few under each lock.
  private func release(_ count: Int, _ row: (Int) -> (ChangedRow, number: UInt64)) {
    var k = 0
    while k < count {
      let first = row(k).0
      table.cache.shards[Int(first.shard)].withRows { rows in
        let end = min(k + 128, count)
        while k < end {
          let (next, number) = row(k)
          guard next.shard == first.shard else { return }
          // Unsafe: asked for, not read.
          if k + 8 < count {
            let ahead = row(k + 8).0
            ck_prefetch(table.cache.layout.header(Int(ahead.slot), ofFloats: ahead.memory))
          }
          rows.markCommitted(next, number: number)
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
