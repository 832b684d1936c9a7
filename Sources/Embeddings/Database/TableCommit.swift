import LMDB
import StorageBase
import Synchronization

/// One table's part of a commit: what changed, how it is written, what is known afterwards.
///
/// The gate is closed meanwhile, so that the rows stand still. Row numbers stay dense: new rows
/// take the numbers of deleted ones first, and where deleted ones are left over, the last rows of
/// the table move into their places. `write` may run twice (the map had to grow), so it changes
/// nothing but the transaction.
struct TableCommit {
  /// A dirty row: where it stands in the cache, and its number on disk.
  struct DirtyRow {
    let shard: UInt32
    let slot: UInt32
    var row: UInt64
  }

  struct Result {
    var record: TableRecord
    /// The new rows with the numbers that they got.
    var numbered: [DirtyRow] = []
    /// Rows that moved: key, old and new number.
    var moves: [(key: UInt64, from: UInt64, to: UInt64)] = []
    var changedBlocks: [Int] = []
  }

  let table: TableCore
  private var updated: [DirtyRow] = []
  private var deleted: [DirtyRow] = []
  private var new: [DirtyRow] = []
  /// Whether there are dirty rows at all, be it only ones that came and went since the last commit.
  private var hasDirty = false

  /// Collects the dirty rows.
  init(_ table: TableCore) {
    self.table = table
    for (number, shard) in table.cache.shards.enumerated() {
      shard.withRows { rows in
        hasDirty = hasDirty || !rows.dirtySlots.isEmpty
        for slot in rows.dirtySlots {
          let header = rows.header(Int(slot)).pointee
          let dirty = DirtyRow(shard: UInt32(number), slot: slot, row: header.row)
          switch (header.flags.contains(.deleted), header.row == RowHeader.noRow) {
          case (false, false): updated.append(dirty)
          case (false, true): new.append(dirty)
          case (true, false): deleted.append(dirty)
          case (true, true): break
          }
        }
      }
    }
    sortNewRows()
    deleted.sort { $0.row < $1.row }
  }

  var isEmpty: Bool { !hasDirty }

  /// Orders new rows by falling frequency, so that the rows that will change together stand
  /// together; rows of equal frequency by key, so that the order does not depend on threads.
  private mutating func sortNewRows() {
    let keyed = new.map { row in
      header(row) { (frequency: $0.pointee.frequency, key: $0.pointee.key, row: row) }
    }
    let storage = table.storage
    new = keyed.sorted {
      $0.frequency != $1.frequency
        ? $0.frequency > $1.frequency : storage.treeKey($0.key) < storage.treeKey($1.key)
    }.map(\.row)
  }

  private func header<R>(
    _ row: DirtyRow, _ body: (UnsafeMutablePointer<RowHeader>) -> R
  ) -> R {
    table.cache.shards[Int(row.shard)].withRows { body($0.header(Int(row.slot))) }
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
      oldCount: oldCount, newCount: count, cache: table.cache, in: transaction)
    record.totalFrequency = record.totalFrequency &+ frequencyChange &- lost
    return Result(
      record: record, numbered: numbered, moves: moves, changedBlocks: edits.changedBlocks)
  }

  /// Takes over what the commit made true, once it is durable.
  func finish(_ result: Result) {
    for row in result.numbered {
      let key = header(row) {
        $0.pointee.row = row.row
        return $0.pointee.key
      }
      table.locations.note(key: key, row: row.row)
    }
    for move in result.moves {
      table.locations.note(key: move.key, row: move.to, movedFrom: move.from)
      table.cache.shard(ofKey: move.key).withRows { rows in
        let slot = rows.find(key: move.key, row: move.from)
        if slot >= 0 { rows.header(slot).pointee.row = move.to }
      }
    }
    for shard in table.cache.shards { shard.withRows { $0.markCommitted() } }
    table.cache.changedBlocks.reset(rowCount: result.record.rowCount)
    table.state.withLock { state in
      state.record = result.record
      table.uncommittedRows.store(0, ordering: .relaxed)
    }
  }
}
