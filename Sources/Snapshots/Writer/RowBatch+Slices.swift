import StorageBase

extension IDColumn {
  /// Where the block ends that begins with id `start`: before the ids have more bytes than a block
  /// may, but after one at least.
  func end(ofBlockFrom start: Int, to limit: Int, holding held: Int = 0) -> Int {
    guard type == .bytes else { return limit }
    let room = Limits.blockIDBytes - held
    // Nearly always all of it fits.
    if Int(offsets[limit] - offsets[start]) <= room { return limit }
    var end = held == 0 ? start + 1 : start
    while end < limit, Int(offsets[end + 1] - offsets[start]) <= room { end += 1 }
    return end
  }
}

extension RowBatch {
  /// Refuses columns that do not fit the snapshot.
  func check(
    _ description: SnapshotDescription, kind: BlockKind, count expected: Int? = nil
  ) throws(EmbeddingError) {
    guard ids.type == description.idType else {
      throw EmbeddingError(
        .invalidArgument,
        "The snapshot has ids of type \(description.idType); the batch has \(ids.type).")
    }
    let count = ids.count
    if let expected, expected != count {
      throw EmbeddingError(
        .invalidArgument, "\(expected) rows were to be gathered for a snapshot; there are \(count)."
      )
    }
    if ids.type == .bytes,
      let empty = (0..<count).first(where: { ids.offsets[$0] == ids.offsets[$0 + 1] })
    {
      throw EmbeddingError(
        .invalidArgument, "Id \(empty) of the batch is empty; an id has at least one byte.")
    }
    guard kind == .rows else { return }
    func fits(_ actual: Int) -> Bool { actual == 0 || actual == count }
    guard vectors.count == count * description.dimension,
      slots.count == count * description.storedSlotCount, fits(frequencies.count),
      fits(lastSteps.count)
    else {
      throw EmbeddingError(
        .invalidArgument,
        "A batch of \(count) rows for a snapshot needs \(description.dimension) floats of vector and "
          + "\(description.storedSlotCount) of slots a row; it has \(vectors.count) and "
          + "\(slots.count) in all, \(frequencies.count) frequencies and \(lastSteps.count) steps.")
    }
  }

  /// Appends rows `range` of `other`, whose columns fit.
  mutating func append(contentsOf other: borrowing RowBatch, _ range: Range<Int>) {
    let had = ids.count
    ids.append(contentsOf: other.ids, range)
    func take<T>(_ column: inout [T], _ source: [T], _ width: Int) {
      guard !source.isEmpty else { return }
      column.append(contentsOf: source[range.lowerBound * width..<range.upperBound * width])
    }
    take(&vectors, other.vectors, dimension)
    take(&slots, other.slots, slotCount)
    // Batches without these columns may follow batches with them.
    func takeOptional<T: ExpressibleByIntegerLiteral>(_ column: inout [T], _ source: [T]) {
      if source.isEmpty, column.isEmpty { return }
      while column.count < had { column.append(0) }
      if source.isEmpty {
        column.append(contentsOf: repeatElement(0, count: range.count))
      } else {
        column.append(contentsOf: source[range])
      }
    }
    takeOptional(&frequencies, other.frequencies)
    takeOptional(&lastSteps, other.lastSteps)
  }

  /// Rows `range` alone.
  func slice(_ range: Range<Int>) -> RowBatch {
    var rows = RowBatch(idType: ids.type, dimension: dimension, slotCount: slotCount)
    rows.append(contentsOf: self, range)
    return rows
  }
}
