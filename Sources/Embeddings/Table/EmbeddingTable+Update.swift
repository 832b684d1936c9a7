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
    try checkFinite(gradients, dimension: storage.layout.dimension, "The gradient")
    try ids.withUnsafeIDs { (ids) throws(EmbeddingError) in
      try database.begin(step: step)
      try change(ids, absent: .create) { scratch in
        gradients.withUnsafeBufferPointer { gradients in
          guard let gradients = gradients.baseAddress else { return }
          forEachShard(scratch) { rows, range in
            self.sum(gradients, range, &rows, scratch)
            scratch.distinctRows.withUnsafeBufferPointer { distinct in
              optimizer.update(
                rows: distinct, gradients: scratch.gradients, learningRate: learningRate)
            }
            rows.count(scratch, step: step, counting: counting)
          }
        }
      }
    }
  }

  /// Brings the rows of a batch into the cache, which may fail, and then applies `body` to them,
  /// which cannot: what a commit finds is all of a batch or nothing.
  private func change(
    _ ids: UnsafeIDs, absent: Absent, _ body: (BatchScratch) -> Void
  ) throws(EmbeddingError) {
    try batch(ids) { (scratch) throws(EmbeddingError) in
      let outcome = try makeResident(ids, scratch, absent: absent)
      guard outcome == .done else { return outcome }
      createAbsent(scratch)
      body(scratch)
      database.noteBatch()
      return .done
    }
  }

  private func check(_ optimizer: AnyRowOptimizer) throws(EmbeddingError) {
    guard optimizer.base is UnknownOptimizer else { return }
    throw EmbeddingError(
      .invalidConfiguration,
      "Table \(name) is trained with optimizer \(optimizer.base.name), which is not a built-in one. "
        + "Open the table with a configuration that holds it.")
  }

  /// Finds the distinct rows of a shard's part of the batch and sums their gradients, in batch
  /// order. All rows are in the cache, their slots in `scratch.slots`.
  private func sum(
    _ gradients: UnsafePointer<Float>, _ range: Range<Int>, _ rows: inout RowShard,
    _ scratch: BatchScratch
  ) {
    let dimension = storage.layout.dimension
    scratch.beginDistinct(atMost: range.count, dimension: dimension)
    let sums = scratch.gradients
    for k in range {
      let i = Int(scratch.order[k])
      let slot = scratch.slots[i]
      let (position, isNew) = scratch.distinct(slot)
      let sum = sums + position * dimension
      let gradient = gradients + i * dimension
      if isNew {
        scratch.distinctRows.append(rows.floats(Int(slot)))
        sum.update(from: gradient, count: dimension)
      } else {
        ck_add(sum, gradient, dimension)
      }
    }
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
              let slot = Int(scratch.slots[i])
              rows.floats(slot).update(from: vectors + i * dimension, count: dimension)
              rows.header(slot).pointee.lastStep = step
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
      try change(ids, absent: .create) { scratch in
        forEachShard(scratch) { rows, range in
          for k in range {
            rows.header(Int(scratch.slots[Int(scratch.order[k])])).pointee.addFrequency(1)
          }
        }
      }
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
            let slot = Int(scratch.slots[Int(scratch.order[k])])
            guard slot >= 0, !rows.header(slot).pointee.flags.contains(.deleted) else { continue }
            rows.header(slot).pointee.flags.insert(.deleted)
            deleted += 1
          }
        }
        core.uncommittedRows.subtract(deleted, ordering: .relaxed)
      }
    }
    return deleted
  }
}

extension RowShard {
  /// Notes the step, and what it adds to their frequency, in the distinct rows of a batch.
  fileprivate mutating func count(
    _ scratch: BatchScratch, step: Int64, counting: FrequencyCounting
  ) {
    for position in 0..<scratch.distinctRows.count {
      let header = header(Int(scratch.distinctSlots[position]))
      header.pointee.lastStep = step
      switch counting {
      case .updates: header.pointee.addFrequency(1)
      case .occurrences: header.pointee.addFrequency(UInt64(scratch.occurrences[position]))
      case .none: break
      }
    }
  }
}
