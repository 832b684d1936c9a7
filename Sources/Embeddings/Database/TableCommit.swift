import LMDB
import StorageBase
import Synchronization

/// One table's part of a commit: what changed, how it is written, what is known afterwards.
///
/// It works on copies of the changed rows, while training goes on. Row numbers stay dense: new rows
/// take the numbers of deleted ones first, and where deleted ones are left over, the last rows of
/// the table move into their places. `write` may run twice (the map had to grow), so it changes
/// nothing but the transaction.
struct TableCommit {
  /// A row to write: its copy, and its number on disk.
  struct PlacedRow {
    let copy: StagedRow
    var row: UInt64
  }

  struct Result {
    var record: TableRecord
    /// The new rows with the numbers that they got.
    var numbered: [PlacedRow] = []
    /// Rows that moved: key, old and new number.
    var moves: [(key: UInt64, from: UInt64, to: UInt64)] = []
    var changedBlocks: [Int] = []
  }

  let table: TableCore
  /// The copies, by shard.
  private let staged: [StagedRows]
  private(set) var updated: [PlacedRow] = []
  private(set) var deleted: [PlacedRow] = []
  private var new: [PlacedRow] = []
  /// What `uncommittedRows` counts of these changes.
  private let fixedRows: Int

  /// Copies the fixed rows, shard by shard, a few under each lock.
  ///
  /// - Parameter fixedRows: the uncommitted rows when they were fixed.
  init(_ table: TableCore, fixedRows: Int) {
    self.table = table
    self.fixedRows = fixedRows
    table.rowsUnderWay.store(fixedRows, ordering: .relaxed)
    var staged: [StagedRows] = []
    for shard in table.cache.shards {
      while shard.withRows({ $0.stageFixed(atMost: 32) }) {}
      staged.append(shard.withRows { $0.takeStaged(spare: table.cache.takeSpare()) })
    }
    self.staged = staged
    for copy in staged.lazy.flatMap(\.rows) {
      let placed = PlacedRow(copy: copy, row: copy.row)
      switch (copy.isDeleted, copy.isNew) {
      case (false, false): updated.append(placed)
      case (false, true): new.append(placed)
      case (true, false): deleted.append(placed)
      case (true, true): break
      }
    }
    sortNewRows()
    deleted.sort { $0.row < $1.row }
  }

  /// Whether there is nothing to take over, be it only rows that came and went since the last commit.
  var isEmpty: Bool { staged.allSatisfy { $0.rows.isEmpty } }

  /// Orders new rows by falling frequency, so that the rows that will change together stand
  /// together; rows of equal frequency by key, so that the order does not depend on threads.
  private mutating func sortNewRows() {
    let storage = table.storage
    let keyed = new.map { (frequency: $0.copy.counts.frequency, key: $0.copy.key.key, row: $0) }
    new = keyed.sorted {
      $0.frequency != $1.frequency
        ? $0.frequency > $1.frequency : storage.treeKey($0.key) < storage.treeKey($1.key)
    }.map(\.row)
  }

  // MARK: Writing

  /// Writes the changes.
  func write(in transaction: borrowing WriteTransaction) throws(EmbeddingError) -> Result {
    var record = table.state.withLock { $0.record }
    let storage = table.storage
    let oldCount = record.rowCount
    for row in deleted { try deleteID(row, in: transaction) }

    // Numbers: holes first, then the end of the table.
    var holes = deleted.map(\.row)[...]
    var numbered = new
    var count = oldCount
    for i in numbered.indices {
      if let hole = holes.popFirst() {
        numbered[i].row = hole
      } else {
        numbered[i].row = count
        count += 1
      }
    }
    count -= UInt64(holes.count)
    // A hole that a new row takes loses its old frequency when it is overwritten.
    let lost = try frequency(of: holes, in: transaction)
    let moves = try movesInto(holes, from: count..<max(count, oldCount), in: transaction)
    try insertIDs(numbered, in: transaction)

    record.rowCount = count
    var edits = BlockEdits(storage: storage)
    for move in moves { edits.moves.append((move.to, move.from)) }
    let moved = Dictionary(uniqueKeysWithValues: moves.map { ($0.from, $0.to) })
    edits.rows = numbered
    for var row in updated {
      row.row = moved[row.row] ?? row.row
      edits.rows.append(row)
    }
    let frequencyChange = try edits.write(
      oldCount: oldCount, newCount: count, in: transaction)
    record.totalFrequency = record.totalFrequency &+ frequencyChange &- lost
    return Result(
      record: record, numbered: numbered, moves: moves, changedBlocks: edits.changedBlocks)
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
      cache.shards[Int(row.copy.shard)].withRows { $0.markCommitted(row.copy, row: row.row) }
    }
    cache.counts.setRows(result.record.rowCount)
    table.state.withLock { state in
      // Not the record as a whole: the optimizer may have been changed meanwhile.
      state.record.rowCount = result.record.rowCount
      state.record.totalFrequency = result.record.totalFrequency
      table.uncommittedRows.subtract(fixedRows, ordering: .relaxed)
      table.rowsUnderWay.store(0, ordering: .relaxed)
    }
  }

  /// Lets the copied rows go, beside batches at work.
  func release(_ result: Result) {
    for row in result.numbered {
      table.cache.shards[Int(row.copy.shard)].withRows { $0.markCommitted(row.copy, row: row.row) }
    }
    table.locations.note(self, result)
    for (number, staged) in staged.enumerated() {
      let shard = table.cache.shards[number]
      var start = 0
      while start < staged.rows.count {
        let end = min(start + 64, staged.rows.count)
        shard.withRows { rows in
          for copy in staged.rows[start..<end] where copy.isDeleted == copy.isNew {
            rows.markCommitted(copy, row: copy.row)
          }
        }
        start = end
      }
      table.cache.giveSpare(staged)
    }
  }

  /// Takes over that the commit failed: all of it is still to be written. No batch is at work.
  func takeBack() {
    table.rowsUnderWay.store(0, ordering: .relaxed)
    for (number, staged) in staged.enumerated() {
      table.cache.shards[number].withRows { rows in
        for copy in staged.rows { rows.markFailed(copy) }
      }
    }
  }
}
