public import StorageBase
import Synchronization

/// A table in memory only: the second backend of ``EmbeddingStore``, for tests and small tables.
///
/// It does what an ``EmbeddingTable`` does, with the same arithmetic to the bit, and keeps nothing.
/// All calls may come from any number of threads; one lock orders them.
///
///     let store = try MemoryEmbeddingStore(TableConfiguration(dimension: 16, idType: .int64))
///     try store.update([7], gradients: [gradient], step: 1)
public final class MemoryEmbeddingStore: EmbeddingStore {
  /// What the table is.
  public let configuration: TableConfiguration
  let rows: Mutex<MemoryRows>
  let optimizer: AnyRowOptimizer
  let sampler = SamplerState()

  /// Creates an empty table.
  ///
  /// - Throws: ``EmbeddingError/Code/invalidConfiguration``.
  public init(_ configuration: TableConfiguration) throws(EmbeddingError) {
    try configuration.validate()
    self.configuration = configuration
    optimizer = try AnyRowOptimizer(configuration.optimizer, dimension: configuration.dimension)
    rows = Mutex(MemoryRows(configuration, optimizer))
  }

  /// The number of rows.
  public var count: Int {
    get throws(EmbeddingError) { rows.withLock { $0.ids.count } }
  }

  /// Copies the vectors of `ids` into `vectors`, in batch order.
  public func lookup(
    _ ids: borrowing IDBatch, into vectors: inout MutableSpan<Float>, mode: LookupMode
  ) throws(EmbeddingError) {
    try check(ids, floats: vectors.count, of: "vectors")
    let dimension = configuration.dimension
    let ids = try ids.values()
    var output: [Float] = []
    output.reserveCapacity(vectors.count)
    rows.withLock { rows in
      for id in ids {
        let row = mode == .training ? rows.row(creating: id) : rows.index[id]
        if let row {
          output.append(contentsOf: rows.floats[rows.vector(row)])
        } else {
          output.append(
            contentsOf: configuration.initializer.vector(
              dimension: dimension, seed: configuration.seed, id: id))
        }
      }
    }
    for i in output.indices { vectors[i] = output[i] }
  }

  /// Reads frequency, last step and presence of `ids`, in batch order.
  public func metadata(
    _ ids: borrowing IDBatch, into metadata: inout MutableSpan<RowMetadata>
  ) throws(EmbeddingError) {
    try checkBatch(ids, idType: configuration.idType, store: "The store")
    try checkCount(metadata.count, of: "metadata", is: ids.count)
    for (i, id) in try ids.values().enumerated() {
      metadata[i] = rows.withLock { $0.index[id].map($0.metadata) ?? RowMetadata() }
    }
  }

  /// Draws negatives from the rows, and merges them with the positives.
  public func sample(
    _ request: SamplingRequest, positives: IDColumn
  ) throws(EmbeddingError) -> CandidateSample {
    try checkBatch(positives.batch, idType: configuration.idType, store: "The store")
    return try rows.withLock { (rows) throws(EmbeddingError) in
      let sample = try sampleRows(
        request, positives: (0..<positives.count).map { rows.index[positives[$0]] }, over: rows,
        state: sampler)
      var ids = positives
      for row in sample.rows.dropFirst(positives.count) { ids.append(rows.ids[row!]) }
      return CandidateSample(sample, ids: ids)
    }
  }

  /// Hands all rows to `body`, batch by batch, as they stand when the call begins.
  public func forEachBatch(
    ofAtMost batchSize: Int, includingSlots: Bool,
    _ body: (borrowing RowBatch) throws(EmbeddingError) -> Bool
  ) throws(EmbeddingError) {
    let rows = rows.withLock { $0 }
    var batch = RowBatch(
      idType: configuration.idType, dimension: configuration.dimension,
      slotCount: includingSlots ? configuration.slotCount : 0)
    for start in stride(from: 0, to: rows.ids.count, by: max(1, batchSize)) {
      batch.removeAll()
      for row in start..<min(start + max(1, batchSize), rows.ids.count) {
        batch.ids.append(rows.ids[row])
        batch.vectors.append(contentsOf: rows.floats[rows.vector(row)])
        if includingSlots { batch.slots.append(contentsOf: rows.floats[rows.slots(row)]) }
        batch.frequencies.append(rows.frequencies[row])
        batch.lastSteps.append(rows.lastSteps[row])
      }
      guard try body(batch) else { return }
    }
  }

  func check(
    _ ids: borrowing IDBatch, floats: Int, of what: String
  ) throws(EmbeddingError) {
    try checkBatch(ids, idType: configuration.idType, store: "The store")
    try checkCount(floats, of: what, is: ids.count * configuration.dimension)
  }
}
