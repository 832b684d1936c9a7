import StorageBase

// What every backend checks of a batch, in the same words.

/// Refuses a batch of ids of another type, or of more ids than a batch may have.
func checkBatch(
  _ ids: borrowing IDBatch, idType: IDType, store: String
) throws(EmbeddingError) {
  guard ids.type == idType else {
    throw EmbeddingError(
      .invalidArgument, "\(store) has ids of type \(idType); the batch has \(ids.type).")
  }
  guard ids.count <= Int(Int32.max) else {
    throw EmbeddingError(.invalidArgument, "A batch has at most 2^31 - 1 ids.")
  }
}

/// Refuses a buffer of another size than the batch needs.
func checkCount(
  _ actual: Int, of what: String, is expected: Int
) throws(EmbeddingError) {
  guard actual == expected else {
    throw EmbeddingError(
      .invalidArgument, "The batch needs \(what) of \(expected) elements; there are \(actual).")
  }
}

/// Refuses values that are not finite: one NaN in a gradient would spoil its row for good.
func checkFinite(
  _ values: Span<Float>, dimension: Int, _ what: String
) throws(EmbeddingError) {
  guard let position = values.withUnsafeBufferPointer({ firstNonFinite($0) }) else { return }
  throw EmbeddingError(
    .invalidArgument,
    "\(what) of id \(position / dimension) of the batch is \(values[position]) at element "
      + "\(position % dimension); nothing was changed.")
}

/// The position of the first NaN or infinity, or nil.
private func firstNonFinite(_ values: UnsafeBufferPointer<Float>) -> Int? {
  // A value is finite unless its exponent bits are all ones, when adding one to them reaches the
  // sign bit; or-ing a run of sums lets the common case go without a branch an element.
  let bits = UnsafeRawBufferPointer(values).assumingMemoryBound(to: UInt32.self)
  var start = 0
  while start < bits.count {
    let end = min(start + 256, bits.count)
    var sums: UInt32 = 0
    for i in start..<end { sums |= (bits[i] & 0x7f80_0000) &+ 0x0080_0000 }
    if sums & 0x8000_0000 != 0 { return (start..<end).first { !values[$0].isFinite } }
    start = end
  }
  return nil
}

/// The learning rate of an update: the call's, or else the optimizer's.
func checkLearningRate(
  _ learningRate: Float?, of optimizer: AnyRowOptimizer
) throws(EmbeddingError) -> Float {
  let learningRate = learningRate ?? optimizer.base.learningRate
  guard learningRate.isFinite else {
    throw EmbeddingError(
      .invalidArgument, "The learning rate is \(learningRate); it must be finite.")
  }
  guard learningRate != 0 || !(optimizer.base is FTRL) else {
    throw EmbeddingError(
      .invalidArgument, "FTRL divides by the learning rate, which must not be 0.")
  }
  return learningRate
}

func existingRow(_ id: EmbeddingID, table: String) -> EmbeddingError {
  EmbeddingError(
    .alreadyExists,
    "Id \(id) has a row in \(table) already. Nothing was imported. Say whether such rows are to be "
      + "replaced or kept.")
}

extension RowBatch {
  /// Refuses a batch to import that does not fit its table, or whose columns differ in length, or
  /// that holds values that are not finite.
  borrowing func check(
    against configuration: TableConfiguration, table: String
  ) throws(EmbeddingError) {
    try checkColumns(against: configuration, table: table)
    try checkFinite()
  }

  /// Refuses a batch to import that does not fit its table, or whose columns differ in length.
  borrowing func checkColumns(
    against configuration: TableConfiguration, table: String
  ) throws(EmbeddingError) {
    guard dimension == configuration.dimension, ids.type == configuration.idType else {
      throw EmbeddingError(
        .configurationMismatch,
        "The rows to import have dimension \(dimension) and ids of type \(ids.type); "
          + "\(table) has \(configuration.dimension) and \(configuration.idType).")
    }
    let count = count
    func fits(_ actual: Int, _ each: Int) -> Bool { actual == 0 || actual == count * each }
    guard vectors.count == count * dimension, fits(slots.count, configuration.slotCount),
      slots.isEmpty || slotCount == configuration.slotCount, fits(frequencies.count, 1),
      fits(lastSteps.count, 1)
    else {
      throw EmbeddingError(
        .invalidArgument, "The columns of a batch to import differ in length.")
    }
  }

  /// Refuses a batch to import that holds values that are not finite.
  borrowing func checkFinite() throws(EmbeddingError) {
    if let bad = vectors.withUnsafeBufferPointer({ firstNonFinite($0) }) {
      throw EmbeddingError(
        .invalidArgument,
        "The vector of id \(ids[bad / dimension]) holds \(vectors[bad]) at element "
          + "\(bad % dimension); nothing was imported.")
    }
    if let bad = slots.withUnsafeBufferPointer({ firstNonFinite($0) }) {
      throw EmbeddingError(
        .invalidArgument,
        "The optimizer slots of id \(ids[bad / slotCount]) hold \(slots[bad]) at element "
          + "\(bad % slotCount); nothing was imported.")
    }
  }
}
