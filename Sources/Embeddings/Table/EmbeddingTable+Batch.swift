import StorageBase
import Synchronization

extension EmbeddingTable {
  func check(_ ids: borrowing IDBatch) throws(EmbeddingError) {
    try database.checkOpen()
    guard ids.type == storage.idType else {
      throw EmbeddingError(
        .invalidArgument,
        "Table \(name) has ids of type \(storage.idType); the batch has \(ids.type).")
    }
    guard ids.count <= Int(Int32.max) else {
      throw EmbeddingError(.invalidArgument, "A batch has at most 2^31 - 1 ids.")
    }
  }

  func check(
    _ ids: borrowing IDBatch, floats: Int, _ what: String
  ) throws(EmbeddingError) {
    try check(ids)
    let expected = ids.count * storage.layout.dimension
    guard floats == expected else {
      throw EmbeddingError(
        .invalidArgument,
        "\(ids.count) ids of dimension \(storage.layout.dimension) need \(what) of \(expected) "
          + "floats; there are \(floats).")
    }
  }

  /// Refuses values that are not finite: one NaN in a gradient would spoil its row for good.
  func checkFinite(_ values: Span<Float>, _ what: String) throws(EmbeddingError) {
    let firstBad = values.withUnsafeBufferPointer { firstNonFinite($0) }
    guard let firstBad else { return }
    let dimension = storage.layout.dimension
    throw EmbeddingError(
      .invalidArgument,
      "\(what) of id \(firstBad / dimension) of the batch is \(values[firstBad]) at element "
        + "\(firstBad % dimension); nothing was changed.")
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

/// The position of the first NaN or infinity, or nil.
private func firstNonFinite(_ values: UnsafeBufferPointer<Float>) -> Int? {
  // A value is finite unless its exponent bits are all ones; or-ing the excess of a run lets the
  // common case go without a branch an element.
  let bits = UnsafeRawBufferPointer(values).assumingMemoryBound(to: UInt32.self)
  var start = 0
  while start < bits.count {
    let end = min(start + 256, bits.count)
    var excess: UInt32 = 0
    for i in start..<end { excess |= (bits[i] & 0x7f80_0000) &+ 0x0080_0000 }
    if excess & 0x8000_0000 != 0 {
      return (start..<end).first { !values[$0].isFinite }
    }
    start = end
  }
  return nil
}
