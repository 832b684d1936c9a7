package import Embeddings

/// What an embedding table is meant to do, in the plainest words: a dictionary, and the arithmetic
/// of two optimizers written out. Every backend is held against it, to the bit.
package struct ReferenceTable: Sendable {
  /// A row: all that is stored under an id.
  package struct Row: Sendable, Equatable {
    package var vector: [Float]
    package var slots: [Float]
    package var frequency: UInt64 = 0
    package var lastStep: Int64 = 0
  }

  /// How rows are trained.
  package enum Rule: Sendable {
    case sgd
    case adagrad(initialAccumulator: Float, epsilon: Float)
  }

  package let configuration: TableConfiguration
  package let rule: Rule
  package var rows: [EmbeddingID: Row] = [:]
  /// Where ids have to earn their rows: those below the cutoff, what is counted of ids without a row,
  /// and the rows that these share.
  package var probation: [EmbeddingID: Row] = [:]
  package var counted: [EmbeddingID: UInt64] = [:]
  package var shared: [Int64: Row] = [:]

  /// An empty table. Its optimizer must be SGD or Adagrad.
  package init(_ configuration: TableConfiguration) {
    self.configuration = configuration
    switch configuration.optimizer {
    case is SGD: rule = .sgd
    case let adagrad as Adagrad:
      rule = .adagrad(
        initialAccumulator: adagrad.initialAccumulator, epsilon: adagrad.epsilon)
    default: preconditionFailure("the reference knows SGD and Adagrad")
    }
  }

  private var dimension: Int { configuration.dimension }

  /// The row that an unseen id starts with.
  package func newRow(_ id: EmbeddingID) -> Row {
    let vector = configuration.initializer.vector(
      dimension: dimension, seed: configuration.seed, id: id)
    return Row(vector: vector, slots: newSlots)
  }

  private var newSlots: [Float] {
    switch rule {
    case .sgd: []
    case .adagrad(let initialAccumulator, _):
      [Float](repeating: initialAccumulator, count: dimension)
    }
  }

  /// The vectors of `ids`, row-major.
  package mutating func lookup(_ ids: [EmbeddingID], mode: LookupMode) -> [Float] {
    ids.flatMap { id in
      let row = rows[id] ?? probation[id] ?? firstRow(id)
      if mode == .training, !configuration.admitsOnlySome { rows[id] = row }
      return row.vector
    }
  }

  /// What is known of `ids`.
  package func metadata(_ ids: [EmbeddingID]) -> [RowMetadata] {
    ids.map { id in
      rows[id].map {
        RowMetadata(frequency: $0.frequency, lastStep: $0.lastStep, isPresent: true)
      } ?? probation[id].map {
        RowMetadata(frequency: $0.frequency, lastStep: $0.lastStep, isOnProbation: true)
      } ?? RowMetadata()
    }
  }

  /// One optimizer step for each distinct id, on the sum of its gradients in batch order.
  package mutating func update(
    _ ids: [EmbeddingID], gradients: [Float], step: Int64, learningRate: Float? = nil,
    counting: FrequencyCounting = .automatic
  ) {
    guard !configuration.admitsOnlySome else {
      return see(
        ids, gradients: gradients, step: step, learningRate: learningRate, counting: counting)
    }
    var sums: [EmbeddingID: (sum: [Float], occurrences: UInt64)] = [:]
    for (i, id) in ids.enumerated() {
      let gradient = gradients[i * dimension..<(i + 1) * dimension]
      if let (sum, occurrences) = sums[id] {
        sums[id] = (zip(sum, gradient).map { $0 + $1 }, occurrences + 1)
      } else {
        sums[id] = (Array(gradient), 1)
      }
    }
    let rate = learningRate ?? configuration.optimizer.learningRate
    for (id, (gradient, occurrences)) in sums {
      var row = rows[id] ?? newRow(id)
      train(&row, gradient, rate)
      row.lastStep = step
      switch counting {
      case .automatic, .updates: row.frequency += 1
      case .occurrences: row.frequency += occurrences
      case .none: break
      }
      rows[id] = row
    }
  }

  /// The arithmetic of the optimizers.
  func train(_ row: inout Row, _ gradient: [Float], _ rate: Float) {
    for j in 0..<dimension {
      let g = gradient[j]
      switch rule {
      case .sgd:
        row.vector[j] -= rate * g
      case .adagrad(_, let epsilon):
        row.slots[j] += g * g
        row.vector[j] -= rate * g / (row.slots[j].squareRoot() + epsilon)
      }
    }
  }

  /// Writes vectors; the last of equal ids wins.
  package mutating func assign(_ ids: [EmbeddingID], vectors: [Float], step: Int64) {
    for (i, id) in ids.enumerated() {
      var row = rows[id] ?? probation.removeValue(forKey: id) ?? newRow(id)
      row.vector = Array(vectors[i * dimension..<(i + 1) * dimension])
      row.lastStep = step
      rows[id] = row
    }
  }

  /// Counts every occurrence.
  package mutating func addFrequency(_ ids: [EmbeddingID]) {
    guard !configuration.admitsOnlySome else {
      return see(ids, gradients: nil, step: nil, learningRate: nil, counting: .occurrences)
    }
    for id in ids {
      var row = rows[id] ?? newRow(id)
      row.frequency += 1
      rows[id] = row
    }
  }

  /// Deletes rows, and returns how many there were.
  package mutating func delete(_ ids: [EmbeddingID]) -> Int {
    var count = 0
    for id in ids {
      if rows.removeValue(forKey: id) != nil { count += 1 }
      probation[id] = nil
    }
    return count
  }

  /// Takes in a batch of rows; nil where an id has a row and that is refused. Nothing changes then.
  package mutating func importRows(
    _ batches: [RowBatch], _ options: ImportOptions
  ) -> ImportSummary? {
    var summary = ImportSummary()
    var met: Set<EmbeddingID> = []
    var copy = rows
    for batch in batches {
      for i in 0..<batch.count {
        let id = batch.ids[i]
        guard met.insert(id).inserted else {
          summary.duplicates += 1
          continue
        }
        let lastStep = batch.lastSteps.isEmpty ? options.step : batch.lastSteps[i]
        if let row = rows[id] {
          switch options.existing {
          case .refuse: return nil
          case .keep:
            summary.kept += 1
            continue
          case .newer where lastStep <= row.lastStep:
            summary.kept += 1
            continue
          case .replace, .newer: summary.replaced += 1
          }
        } else {
          summary.inserted += 1
        }
        var row = copy[id] ?? newRow(id)
        row.vector = Array(batch.vectors[i * dimension..<(i + 1) * dimension])
        let slotCount = newSlots.count
        row.slots =
          batch.slots.isEmpty
          ? newSlots : Array(batch.slots[i * slotCount..<(i + 1) * slotCount])
        if !batch.frequencies.isEmpty { row.frequency = batch.frequencies[i] }
        row.lastStep = lastStep
        copy[id] = row
      }
    }
    rows = copy
    return summary
  }
}

extension ReferenceTable {
  /// The difference between this table and the rows that `store` exports, or nil.
  package func difference(
    from store: some EmbeddingStore, batchSize: Int = 1000
  ) throws(EmbeddingError) -> String? {
    var found = ReferenceRows(self)
    try store.forEachBatch(ofAtMost: batchSize, includingSlots: true) {
      (batch) throws(EmbeddingError) in
      found.compare(batch, atMost: batchSize)
      return true
    }
    return found.result
  }
}

/// Rows read from a store, on their way past the reference.
package struct ReferenceRows {
  private let reference: ReferenceTable
  private var met: Set<EmbeddingID> = []
  private var difference: String?

  package init(_ reference: ReferenceTable) { self.reference = reference }

  /// Compares a batch.
  package mutating func compare(_ batch: borrowing RowBatch, atMost limit: Int = .max) {
    let (d, s) = (batch.dimension, batch.slotCount)
    if batch.count > limit { difference = difference ?? "a batch has \(batch.count) rows" }
    for i in 0..<batch.count {
      let id = batch.ids[i]
      let row = ReferenceTable.Row(
        vector: Array(batch.vectors[i * d..<(i + 1) * d]),
        slots: Array(batch.slots[i * s..<(i + 1) * s]), frequency: batch.frequencies[i],
        lastStep: batch.lastSteps[i])
      if !met.insert(id).inserted { difference = difference ?? "id \(id) comes twice" }
      guard reference.rows[id] == row else {
        let expected = reference.rows[id].map { "\($0)" } ?? "no row"
        difference = difference ?? "id \(id): \(row) instead of \(expected)"
        continue
      }
    }
  }

  /// The first difference, or nil where all rows came and were equal.
  package var result: String? {
    if let difference { return difference }
    let missing = reference.rows.keys.first { !met.contains($0) }
    return missing.map { "id \($0) is missing" }
  }
}
