import Embeddings
import WorkloadData

/// Trains a sample of rows once more, without any engine, and compares.
struct TrainingCheck {
  /// The largest difference allowed, in vectors and accumulators.
  static let tolerance: Float = 2e-5

  private let training: Training
  private let ids: [UInt32]
  /// The rows of the sample.
  let rows: [UInt32]

  init(_ training: Training, ids: [UInt32]) {
    self.training = training
    self.ids = ids
    // The first ids are hot ones, the last ones mostly cold; a stride takes in what lies between.
    var chosen = Set(ids.prefix(200)).union(ids.suffix(200))
    for i in stride(from: 0, to: ids.count, by: max(1, ids.count / 600)) { chosen.insert(ids[i]) }
    rows = chosen.sorted()
  }

  /// The largest difference between the table and what its rows should be, or infinity where one
  /// is missing.
  func largestError(in table: EmbeddingTable) throws -> Float {
    let dimension = training.options.dimension
    let expected = train()
    let wanted = KeyStream(rows, kind: training.kind)
    var places: [EmbeddingID: Int] = [:]
    for i in rows.indices { places[wanted.id(i)] = i }
    var largest: Float = 0
    var met = 0
    try table.forEachBatch(ofAtMost: 4_096, includingSlots: true) {
      (batch) throws(EmbeddingError) in
      for k in 0..<batch.count {
        guard let place = places[batch.ids[k]] else { continue }
        met += 1
        for d in 0..<dimension {
          largest = max(
            largest, abs(batch.vectors[k * dimension + d] - expected[place].vector[d]),
            abs(batch.slots[k * dimension + d] - expected[place].accumulator[d]))
        }
      }
      return true
    }
    return met == rows.count ? largest : .infinity
  }

  private struct Row {
    var vector: [Float]
    var accumulator: [Float]
  }

  /// Adagrad in the plainest words, for the rows of the sample.
  private func train() -> [Row] {
    let dimension = training.options.dimension
    let batchSize = training.stream.batchSize
    var trained = initialRows()
    var place: [UInt32: Int] = [:]
    for (i, row) in rows.enumerated() { place[row] = i }
    for step in 0..<training.stream.batches {
      var met = Set<UInt32>()
      met.reserveCapacity(batchSize)
      for id in ids[step * batchSize..<(step + 1) * batchSize] {
        let j = met.count
        guard met.insert(id).inserted, let i = place[id] else { continue }
        let noise = TrainingData.noiseRow(j, step: step, batchSize: batchSize) * dimension
        for d in 0..<dimension {
          let g = 0.01 * trained[i].vector[d] + training.noise[noise + d]
          trained[i].accumulator[d] += g * g
          trained[i].vector[d] -=
            TrainingData.learningRate * g
            / (trained[i].accumulator[d].squareRoot() + TrainingData.epsilon)
        }
      }
    }
    return trained
  }

  private func initialRows() -> [Row] {
    let dimension = training.options.dimension
    let keys = KeyStream(rows, kind: training.kind)
    let configuration = Training.configuration(dimension: dimension, kind: training.kind)
    return rows.indices.map { i in
      var vector = [Float](repeating: 0, count: dimension)
      if training.kind == .int64 {
        vector.withUnsafeMutableBufferPointer {
          TrainingData.writeInitialVector(
            key: keys.int64s[i], dimension: dimension, to: $0.baseAddress!)
        }
      } else {
        // Where rows of string keys start is the database's own choice.
        vector = configuration.initializer.vector(dimension: dimension, seed: 0, id: keys.id(i))
      }
      return Row(
        vector: vector,
        accumulator: [Float](repeating: TrainingData.initialAccumulator, count: dimension))
    }
  }
}

extension KeyStream {
  /// Key `i`, by value.
  func id(_ i: Int) -> EmbeddingID {
    kind == .int64 ? .int64(int64s[i]) : .bytes(Array(Keys(self).string(i)))
  }
}
