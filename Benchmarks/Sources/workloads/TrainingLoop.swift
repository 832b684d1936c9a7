import Embeddings
import Machine
import WorkloadData

/// The steps of a training workload, with buffers that are used again and again.
final class TrainingLoop {
  private let batchSize: Int
  private let dimension: Int
  private let noise: UnsafeMutableBufferPointer<Float>
  private let keys: Keys
  private let table: EmbeddingTable
  private let threads: ThreadPair
  /// The step whose keys are the last that may be asked for ahead of their turn; nil asks for none.
  private let lastPrefetch: Int?
  private let distinct: DistinctKeys
  /// The vectors of the distinct keys, which their gradients then replace.
  private let rows: UnsafeMutableBufferPointer<Float>

  /// Where the time of the steps went; with two threads, that of the caller.
  struct Times {
    var distinct = 0.0
    var lookup = 0.0
    var gradient = 0.0
    var update = 0.0
  }
  private(set) var times = Times()

  init(_ training: Training, keys: Keys, table: EmbeddingTable) {
    batchSize = training.stream.batchSize
    dimension = training.options.dimension
    noise = training.noise
    self.keys = keys
    self.table = table
    threads = ThreadPair(count: training.options.threads)
    lastPrefetch = training.options.prefetch ? training.stream.batches - 1 : nil
    distinct = DistinctKeys(kind: training.kind, batchSize: batchSize)
    rows = .allocate(capacity: batchSize * dimension)
    rows.initialize(repeating: 0)
  }

  deinit { rows.deallocate() }

  /// Distinct keys of the last step.
  var distinctCount: Int { distinct.count }

  /// Takes step `step`, from 0 on.
  func step(_ step: Int) throws {
    if let lastPrefetch, step < lastPrefetch {
      keys.withBatch((step + 1) * batchSize..<(step + 2) * batchSize) { table.prefetch($0) }
    }
    let begin = seconds()
    distinct.find(in: keys, step * batchSize..<(step + 1) * batchSize)
    times.distinct += seconds() - begin
    try threads.run { thread in
      let part = threads.part(thread, of: distinct.count)
      // Unsafe: each thread has its own part of the rows.
      let rows = UnsafeMutableBufferPointer(
        rebasing: rows[part.lowerBound * dimension..<part.upperBound * dimension])
      try distinct.keys.withBatch(part) { ids in
        let begin = seconds()
        var vectors = MutableSpan(_unsafeElements: rows)
        try table.lookup(ids, into: &vectors, mode: .training)
        let looked = seconds()
        replaceByGradients(rows, part, step: step)
        let computed = seconds()
        try table.update(
          ids, gradients: Span(_unsafeElements: UnsafeBufferPointer(rows)), step: Int64(step + 1),
          learningRate: nil, counting: .updates)
        guard thread == 0 else { return }
        times.lookup += looked - begin
        times.gradient += computed - looked
        times.update += seconds() - computed
      }
    }
  }

  /// `g = 0.01*v + noise`, in place of `v`.
  private func replaceByGradients(
    _ rows: UnsafeMutableBufferPointer<Float>, _ part: Range<Int>, step: Int
  ) {
    guard let row = rows.baseAddress, let noise = noise.baseAddress else { return }
    // The noise of keys that follow each other does so too.
    let first = TrainingData.noiseRow(part.lowerBound, step: step, batchSize: batchSize)
    let source = noise + first * dimension
    for i in 0..<part.count * dimension { row[i] = 0.01 * row[i] + source[i] }
  }
}
