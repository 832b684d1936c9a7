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
  func batch(
    _ ids: UnsafeIDs, _ body: (BatchScratch) throws(EmbeddingError) -> BatchOutcome
  ) throws(EmbeddingError) {
    guard ids.count > 0 else { return }
    try core.scratch.withScratch { (scratch) throws(EmbeddingError) in
      for attempt in 0..<3 {
        let outcome = try database.gate.shared { () throws(EmbeddingError) in
          scratch.initialSlots = core.state.withLock { $0.initialSlots }
          scratch.group(ids, in: cache)
          return try body(scratch)
        }
        if outcome == .done { return }
        try database.makeRoom(emptyingCaches: attempt > 0)
      }
      throw EmbeddingError(
        .budgetTooSmall,
        "A batch of \(ids.count) ids of table \(name) does not fit into the cache budget of "
          + "\(database.budget.limit) bytes (a row takes \(cache.layout.rowBytes)). Open the "
          + "database with a larger budget, or pass smaller batches.")
    }
  }

  /// Calls `body` for each shard that the grouped batch touches, under its lock.
  func forEachShard(
    _ scratch: BatchScratch, _ body: (_ rows: inout RowShard, _ range: Range<Int>) -> Void
  ) {
    for (number, shard) in cache.shards.enumerated() {
      let range = scratch.starts[number]..<scratch.starts[number + 1]
      if range.isEmpty { continue }
      shard.withRows { body(&$0, range) }
    }
  }
}
