import StorageBase
import Synchronization

extension EmbeddingTable {
  func check(_ ids: borrowing IDBatch) throws(EmbeddingError) {
    try database.checkOpen()
    try checkBatch(ids, idType: storage.idType, store: "Table \(name)")
  }

  func check(
    _ ids: borrowing IDBatch, floats: Int, of what: String
  ) throws(EmbeddingError) {
    try check(ids)
    try checkCount(floats, of: what, is: ids.count * storage.layout.dimension)
  }

  /// Runs a batch beside others; where it finds no room for its rows, commits and runs it again.
  ///
  /// - Parameter body: changes no row unless it returns `.done`, so that the commit is one between
  ///   two batches.
  func batch(
    _ ids: UnsafeIDs, _ body: (BatchScratch) throws(EmbeddingError) -> BatchOutcome
  ) throws(EmbeddingError) {
    try core.scratch.withScratch { (scratch) throws(EmbeddingError) in
      func attempt() throws(EmbeddingError) -> BatchOutcome {
        // Again, now that it cannot be closed meanwhile.
        try database.checkOpen()
        scratch.setInitialSlots(core.state.withLock { $0.initialSlots })
        scratch.group(ids, in: cache)
        return try body(scratch)
      }
      for _ in 0..<2 {
        var outcome = try database.gate.shared(attempt)
        // What is missing may be the room of rows that a commit under way holds.
        if outcome != .done, try database.waitForCommitUnderWay() {
          outcome = try database.gate.shared(attempt)
        }
        if outcome == .done {
          if scratch.uncached > 0 { try askForRoom() }
          return
        }
        try database.commitLive()
      }
      // Other threads may take the room that a commit makes, and other tables may hold all of it.
      if try database.withAllRoom(attempt) == .done { return }
      throw EmbeddingError(
        .budgetTooSmall,
        "A batch of \(ids.count) ids of table \(name) does not fit into the budget of "
          + "\(database.budget.total) bytes, "
          + "\(database.budget.limit) of which are for cached rows (one takes "
          + "\(cache.layout.rowBytes)). Open the database with a larger budget, or pass smaller "
          + "batches.")
    }
  }

  /// After a batch that could not cache what it read: asks for a share of the budget, if this table
  /// has far less than its own.
  private func askForRoom() throws(EmbeddingError) {
    let tables = database.openTables.withLock { $0.count }
    if tables > 1 && cache.slabBytes < database.budget.limit / (4 * tables) {
      try database.shareCachesAnew()
    }
  }

  /// Calls `body` for each shard that the grouped batch touches, under its lock.
  @inline(__always)
  func forEachShard(
    _ scratch: BatchScratch, _ body: (_ rows: inout RowShard, _ range: Range<Int>) -> Void
  ) {
    let shards = cache.shards
    for k in 0..<shards.count {
      let number = (scratch.firstShard + k) & (shards.count - 1)
      let range = scratch.starts[number]..<scratch.starts[number + 1]
      if range.isEmpty { continue }
      shards[number].withRows { body(&$0, range) }
    }
  }

  /// The same, but those that others have at the moment come last: for what is quickly done in a
  /// shard, and so would soon catch up with a batch that has more to do there. Not for all: hot
  /// lookups, which never wait for long, became slower by a seventh.
  @inline(__always)
  func forEachShardOnceFree(
    _ scratch: BatchScratch, _ body: (_ rows: inout RowShard, _ range: Range<Int>) -> Void
  ) {
    let shards = cache.shards
    // A bit for each shard that was not free.
    var left: UInt64 = 0
    for k in 0..<2 * shards.count {
      let isLate = k >= shards.count
      if isLate && left == 0 { return }
      let number = (scratch.firstShard + k) & (shards.count - 1)
      let range = scratch.starts[number]..<scratch.starts[number + 1]
      if range.isEmpty || isLate && left & 1 << UInt64(number) == 0 { continue }
      if !shards[number].withRows(waiting: isLate, { body(&$0, range) }) {
        left |= 1 << UInt64(number)
      }
    }
  }
}
