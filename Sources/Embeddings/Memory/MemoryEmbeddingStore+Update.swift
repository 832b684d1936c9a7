public import StorageBase
import Synchronization

extension MemoryEmbeddingStore {
  /// Sums the gradients of equal ids and applies one optimizer step to each distinct id.
  public func update(
    _ ids: borrowing IDBatch, gradients: Span<Float>, step: Int64, learningRate: Float?,
    counting: FrequencyCounting
  ) throws(EmbeddingError) {
    try check(ids, floats: gradients.count, of: "gradients")
    let dimension = configuration.dimension
    let rate = try checkLearningRate(learningRate, of: optimizer)
    try checkFinite(gradients, dimension: dimension, "The gradient")
    let batch = try ids.values()
    // Distinct ids in the order of their first occurrence, their gradients summed in batch order.
    var positions: [EmbeddingID: Int] = [:]
    var distinct: [EmbeddingID] = []
    var occurrences: [UInt64] = []
    var sums: [Float] = []
    for (i, id) in batch.enumerated() {
      if let position = positions[id] {
        for j in 0..<dimension { sums[position * dimension + j] += gradients[i * dimension + j] }
        occurrences[position] += 1
      } else {
        positions[id] = distinct.count
        distinct.append(id)
        occurrences.append(1)
        for j in 0..<dimension { sums.append(gradients[i * dimension + j]) }
      }
    }
    change { rows in
      let numbers = distinct.map { rows.row(creating: $0) }
      apply(sums, to: numbers, of: &rows, learningRate: rate)
      for (position, row) in numbers.enumerated() {
        rows.lastSteps[row] = step
        switch counting {
        case .automatic, .updates: rows.addFrequency(1, to: row)
        case .occurrences: rows.addFrequency(occurrences[position], to: row)
        case .none: break
        }
      }
      return numbers
    }
  }

  private func apply(
    _ gradients: [Float], to numbers: [Int], of rows: inout MemoryRows, learningRate: Float
  ) {
    let rowFloats = rows.rowFloats
    // Unsafe: the kernels take the addresses of rows.
    rows.floats.withUnsafeMutableBufferPointer { floats in
      guard let start = floats.baseAddress else { return }
      let pointers = numbers.map { start + $0 * rowFloats }
      pointers.withUnsafeBufferPointer { pointers in
        gradients.withUnsafeBufferPointer { gradients in
          guard let gradients = gradients.baseAddress else { return }
          optimizer.update(rows: pointers, contiguous: gradients, learningRate: learningRate)
        }
      }
    }
  }

  /// Writes vectors as they are; the last of equal ids wins.
  public func assign(
    _ ids: borrowing IDBatch, vectors: Span<Float>, step: Int64
  ) throws(EmbeddingError) {
    try check(ids, floats: vectors.count, of: "vectors")
    let dimension = configuration.dimension
    try checkFinite(vectors, dimension: dimension, "The vector")
    let batch = try ids.values()
    let values = (0..<vectors.count).map { vectors[$0] }
    change { rows in
      batch.enumerated().map { i, id in
        let row = rows.row(creating: id)
        rows.floats.replaceSubrange(
          rows.vector(row), with: values[i * dimension..<(i + 1) * dimension])
        rows.lastSteps[row] = step
        return row
      }
    }
  }

  /// Adds one to the frequency of a row for every occurrence of its id.
  public func addFrequency(_ ids: borrowing IDBatch) throws(EmbeddingError) {
    try checkBatch(ids, idType: configuration.idType, store: "The store")
    let batch = try ids.values()
    change { rows in
      batch.map { id in
        let row = rows.row(creating: id)
        rows.addFrequency(1, to: row)
        return row
      }
    }
  }

  /// Deletes the rows of `ids`, and returns how many there were.
  @discardableResult
  public func delete(_ ids: borrowing IDBatch) throws(EmbeddingError) -> Int {
    try checkBatch(ids, idType: configuration.idType, store: "The store")
    let batch = try ids.values()
    return rows.withLock { rows in
      let count = batch.count { rows.remove($0) }
      // Rows have new numbers.
      if count > 0 { rows.generation += 1 }
      sampler.invalidate()
      return count
    }
  }

  /// Takes in rows, all or nothing: a copy of the table grows until the source ends.
  @discardableResult
  public func importRows(
    _ options: ImportOptions, from makeSource: () throws(EmbeddingError) -> RowSource
  ) throws(EmbeddingError) -> ImportSummary {
    let source = try makeSource()
    var batch = RowBatch(
      idType: configuration.idType, dimension: configuration.dimension,
      slotCount: configuration.slotCount)
    return try rows.withLock { (rows) throws(EmbeddingError) in
      var importer = MemoryImport(rows: rows, options: options)
      while true {
        batch.removeAll()
        guard try source(&batch, ImportLimits().batchRows(configuration)) else { break }
        try batch.check(against: configuration, table: "the store")
        try importer.add(batch)
      }
      rows = importer.rows
      rows.generation += 1
      sampler.invalidate()
      return importer.summary
    }
  }

  /// Changes rows, and tells the sampler which.
  private func change(_ body: (inout MemoryRows) -> [Int]) {
    rows.withLock { rows in
      let previous = rows.generation
      let changed = body(&rows)
      rows.generation += 1
      let rowsPerBlock = rows.rowsPerBlock
      sampler.noteCommit(
        from: previous, to: rows.generation,
        changedBlocks: Set(changed.map { $0 / rowsPerBlock }))
    }
  }
}

/// Rows on their way into a copy of a table in memory.
private struct MemoryImport {
  var rows: MemoryRows
  let options: ImportOptions
  var summary = ImportSummary()
  private var met: Set<EmbeddingID> = []

  init(rows: MemoryRows, options: ImportOptions) {
    self.rows = rows
    self.options = options
  }

  mutating func add(_ batch: borrowing RowBatch) throws(EmbeddingError) {
    for i in 0..<batch.count {
      let id = batch.ids[i]
      guard met.insert(id).inserted else {
        summary.duplicates += 1
        continue
      }
      switch (rows.index[id], options.existing) {
      case (nil, _):
        summary.inserted += 1
      case (_, .replace):
        summary.replaced += 1
      case (_, .keep):
        summary.kept += 1
        continue
      case (let row?, .newer):
        let step = batch.lastSteps.isEmpty ? options.step : batch.lastSteps[i]
        guard step > rows.lastSteps[row] else {
          summary.kept += 1
          continue
        }
        summary.replaced += 1
      case (_, .refuse):
        throw existingRow(id, table: "the store")
      }
      set(rows.row(creating: id), from: batch, i)
    }
  }

  private mutating func set(_ row: Int, from batch: borrowing RowBatch, _ i: Int) {
    rows.floats.replaceSubrange(
      rows.vector(row), with: batch.vectors[i * batch.dimension..<(i + 1) * batch.dimension])
    if batch.slots.isEmpty {
      rows.resetSlots(row)
    } else {
      rows.floats.replaceSubrange(
        rows.slots(row), with: batch.slots[i * batch.slotCount..<(i + 1) * batch.slotCount])
    }
    if !batch.frequencies.isEmpty { rows.frequencies[row] = batch.frequencies[i] }
    rows.lastSteps[row] = batch.lastSteps.isEmpty ? options.step : batch.lastSteps[i]
  }
}
