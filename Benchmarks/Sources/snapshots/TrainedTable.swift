import Embeddings
import Machine
import WorkloadData

/// The table that is measured: rows trained by Adagrad, most of them a few times and some often.
struct TrainedTable {
  let options: Snapshots

  init(_ options: Snapshots) { self.options = options }

  static func configuration(dimension: Int) -> TableConfiguration {
    TableConfiguration(
      dimension: dimension, idType: .int64,
      initializer: .uniform(-TrainingData.initialRange...TrainingData.initialRange), seed: 0,
      optimizer: .adagrad(
        learningRate: TrainingData.learningRate,
        initialAccumulator: TrainingData.initialAccumulator, epsilon: TrainingData.epsilon))
  }

  /// Trains the table and writes its columns, unless an earlier run has.
  func prepare() throws {
    let mark = options.path + "/prepared-\(options.rows)x\(options.dimension)-\(options.steps)"
    if fileExists(mark) { return }
    removeDatabase(options.database)
    let database = try EmbeddingDatabase(
      at: options.database, options: .init(cacheBudget: 4 << 30, durability: .noSync))
    let table = try database.table("rows", Self.configuration(dimension: options.dimension))
    try train(table)
    try database.commit(step: Int64(options.steps + 1))
    try table.exportSnapshot(options.snapshot)
    try writeColumns(table)
    try database.close()
    PlainFile(mark).close()
  }

  /// Every row once, then batches of a power law; the gradient is that of the training workloads.
  private func train(_ table: EmbeddingTable) throws {
    let (batch, dimension) = (8_192, options.dimension)
    let noise = TrainingData.noise(batchSize: batch, dimension: dimension)
    defer { noise.deallocate() }
    var hot = IDStream.w3
    hot.rows = options.rows
    hot.batches = options.steps
    let drawn = hot.ids()
    var gradients = [Float](repeating: 0, count: batch * dimension)
    func step(_ ids: [Int64], _ number: Int) throws {
      let column = IDColumn(ids)
      let vectors = try table.lookup(column, mode: .training)
      for i in 0..<ids.count {
        let row = TrainingData.noiseRow(i, step: number, batchSize: batch) * dimension
        for d in 0..<dimension {
          gradients[i * dimension + d] = 0.01 * vectors[i * dimension + d] + noise[row + d]
        }
      }
      try table.update(
        column, gradients: Array(gradients[..<(ids.count * dimension)]), step: Int64(number + 1))
    }
    for start in stride(from: 0, to: options.rows, by: batch) {
      let end = min(start + batch, options.rows)
      try step((start..<end).map { int64Key(UInt64($0)) }, 0)
    }
    for number in 0..<options.steps {
      let ids = drawn[number * batch..<(number + 1) * batch].map { int64Key(UInt64($0)) }
      try step(ids, number + 1)
    }
  }

  /// Ids, vectors and slots in the order of the ids: what a file of plain arrays would hold.
  private func writeColumns(_ table: EmbeddingTable) throws {
    let keys = PlainFile(options.path + "/keys.i64")
    let vectors = PlainFile(options.path + "/vectors.f32")
    let slots = PlainFile(options.path + "/slots.f32")
    let snapshot = try SnapshotStore(options.snapshot)
    try snapshot.forEachBatch(ofAtMost: 8_192, includingSlots: true) { (rows) in
      rows.ids.int64s.withUnsafeBytes { keys.write($0) }
      rows.vectors.withUnsafeBytes { vectors.write($0) }
      rows.slots.withUnsafeBytes { slots.write($0) }
      return true
    }
    for file in [keys, vectors, slots] { file.close() }
  }
}
