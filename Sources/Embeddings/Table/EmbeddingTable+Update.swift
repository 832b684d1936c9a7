import CKernels
public import StorageBase
import Synchronization

extension EmbeddingTable {
  /// Sums the gradients of equal ids and applies one optimizer step to each distinct id.
  ///
  /// All or nothing: the rows are brought into the cache first, which may fail; the arithmetic that
  /// follows cannot. What it changed is durable from the next commit on.
  public func update(
    _ ids: borrowing IDBatch, gradients: Span<Float>, step: Int64, learningRate: Float?,
    counting: FrequencyCounting
  ) throws(EmbeddingError) {
    try check(ids, floats: gradients.count, of: "gradients")
    try database.checkWritable("update")
    let optimizer = core.state.withLock { $0.optimizer }
    try check(optimizer)
    let learningRate = try checkLearningRate(learningRate, of: optimizer)
    let counting = counting == .automatic ? core.defaultCounting : counting
    try checkFinite(gradients, dimension: storage.layout.dimension, "The gradient")
    try ids.withUnsafeIDs { (ids) throws(EmbeddingError) in
      try database.begin(step: step)
      try apply(
        Sighting(
          gradients: gradients.withUnsafeBufferPointer { $0.baseAddress }, optimizer: optimizer,
          learningRate: learningRate, step: step, counting: counting), to: ids)
    }
  }

  /// Trains or counts the ids of a batch; those without a row become rows, where they need not earn
  /// them.
  private func apply(_ sighting: Sighting, to ids: UnsafeIDs) throws(EmbeddingError) {
    if let admission = core.admission { return try see(ids, sighting, admission) }
    try batch(ids) { (scratch) throws(EmbeddingError) in
      if trainKnown(scratch, sighting) { return .done }
      return try change(ids, scratch, absent: .create) { train(scratch, sighting) }
    }
  }

  /// Trains the rows that the lookup before found, in one pass; false, and nothing is changed, where
  /// some may have left since, or others may soon want their room.
  private func trainKnown(_ scratch: BatchScratch, _ sighting: Sighting) -> Bool {
    guard scratch.hasLikelySlots, let departures = scratch.departures, cache.canGrow,
      cache.pins.pin(ifStillAt: departures)
    else { return false }
    defer { cache.pins.unpin() }
    train(scratch, sighting, areResident: false)
    database.noteBatch()
    return true
  }

  /// Brings the rows of a batch into the cache, which may fail, and then applies `body` to them,
  /// which cannot: what a commit finds is all of a batch or nothing.
  private func change(
    _ ids: UnsafeIDs, absent: Absent, _ body: (BatchScratch) -> Void
  ) throws(EmbeddingError) {
    try batch(ids) { (scratch) throws(EmbeddingError) in
      try change(ids, scratch, absent: absent) { body(scratch) }
    }
  }

  private func change(
    _ ids: UnsafeIDs, _ scratch: BatchScratch, absent: Absent, _ body: () -> Void
  ) throws(EmbeddingError) -> BatchOutcome {
    let outcome = try makeResident(ids, scratch, absent: absent)
    guard outcome == .done else { return outcome }
    createAbsent(scratch)
    body()
    database.noteBatch()
    return .done
  }

  private func check(_ optimizer: AnyRowOptimizer) throws(EmbeddingError) {
    guard optimizer.base is UnknownOptimizer else { return }
    throw EmbeddingError(
      .invalidConfiguration,
      "Table \(name) is trained with optimizer \(optimizer.base.name), which is not a built-in one. "
        + "Open the table with a configuration that holds it.")
  }

  /// Writes vectors as they are; the last of equal ids wins.
  public func assign(
    _ ids: borrowing IDBatch, vectors: Span<Float>, step: Int64
  ) throws(EmbeddingError) {
    try check(ids, floats: vectors.count, of: "vectors")
    try database.checkWritable("assign")
    let dimension = storage.layout.dimension
    try checkFinite(vectors, dimension: dimension, "The vector")
    try ids.withUnsafeIDs { (ids) throws(EmbeddingError) in
      try database.begin(step: step)
      try change(ids, absent: .create) { scratch in
        vectors.withUnsafeBufferPointer { vectors in
          guard let vectors = vectors.baseAddress else { return }
          forEachShard(scratch) { rows, range in
            for k in range {
              let i = Int(scratch.order[k])
              let slot = scratch.slots[i].slot
              rows.floats(slot).update(from: vectors + i * dimension, count: dimension)
              var counts = rows.counts(slot)
              counts.lastStep = step
              rows.setCounts(slot, counts)
            }
          }
        }
      }
    }
  }

  /// Adds one to the frequency of a row for every occurrence of its id.
  public func addFrequency(_ ids: borrowing IDBatch) throws(EmbeddingError) {
    try check(ids)
    try database.checkWritable("add to frequencies")
    try ids.withUnsafeIDs { (ids) throws(EmbeddingError) in
      try database.begin()
      try apply(
        Sighting(
          gradients: nil, optimizer: core.state.withLock { $0.optimizer }, learningRate: 0,
          step: nil, counting: .occurrences), to: ids)
    }
  }

  /// Deletes the rows of `ids`, and returns how many there were.
  @discardableResult
  public func delete(_ ids: borrowing IDBatch) throws(EmbeddingError) -> Int {
    try check(ids)
    try database.checkWritable("delete")
    var deleted = 0
    try ids.withUnsafeIDs { (ids) throws(EmbeddingError) in
      try database.begin()
      try change(ids, absent: .skip) { scratch in
        forEachShard(scratch) { rows, range in
          for k in range {
            let slot = scratch.slots[Int(scratch.order[k])].slot
            guard slot >= 0 else { continue }
            let flags = rows.header(slot).pointee.flags
            guard flags.contains(.occupied), !flags.contains(.deleted) else { continue }
            rows.header(slot).pointee.flags.insert(.deleted)
            if flags.contains(.probation), flags.isDisjoint(with: .held) {
              rows.remove(slot)
              continue
            }
            rows.setCounts(slot, RowCounts())
            initialize(rows.floats(slot), key: rows.header(slot).pointee.key, scratch)
            if !flags.contains(.probation) { deleted += 1 }
          }
        }
        core.uncommittedRows.subtract(deleted, ordering: .relaxed)
      }
    }
    return deleted
  }
}
