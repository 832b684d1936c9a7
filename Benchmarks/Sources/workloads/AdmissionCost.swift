import Embeddings
import Machine
import WorkloadData

/// What it costs that ids have to earn their rows: the same updates to two tables, one that gives
/// each id a row and one with a counting Bloom filter, a cutoff, or shared rows, batch by batch in
/// turns, so that whatever else the machine does falls on both.
///
/// First a power-law stream from empty tables, with commits behind the loop; then updates of ids that
/// have rows in both, which is what a filter must not slow down.
struct AdmissionCost {
  let options: RunOptions
  private let stream: IDStream

  init(_ options: RunOptions) {
    self.options = options
    stream = options.applied(to: .w3)
  }

  /// The tables that are compared with the plain one.
  private static let variants:
    [(name: String, change: @Sendable (inout TableConfiguration) -> Void)] =
      [
        ("none", { _ in }),
        (
          "counting-bloom 3, cutoff 5",
          {
            $0.admission = .countingBloomFilter(threshold: 3, expectedIDs: 2_000_000)
            $0.cutoff = 5
          }
        ),
        (
          "counting-bloom 5",
          { $0.admission = .countingBloomFilter(threshold: 5, expectedIDs: 2_000_000) }
        ),
        (
          "cutoff 5, shared rows",
          {
            $0.cutoff = 5
            $0.sharedRows = 10_000
          }
        ),
      ]

  /// A table, and the time that went into it.
  private final class Candidate {
    let name: String
    let database: EmbeddingDatabase
    let table: EmbeddingTable
    var fromEmpty = 0.0
    var withRows: [Double] = []

    init(_ name: String, path: String, _ options: RunOptions, _ configuration: TableConfiguration)
      throws
    {
      self.name = name
      removeDatabase(path)
      database = try EmbeddingDatabase(
        at: path, options: .init(cacheBudget: options.budget ?? 4 << 30))
      table = try database.table("rows", configuration)
    }

    func update(_ ids: IDBatch, _ gradients: Span<Float>, step: Int) throws -> Double {
      let start = seconds()
      try table.update(
        ids, gradients: gradients, step: Int64(step), learningRate: nil, counting: .automatic)
      return seconds() - start
    }
  }

  func run() throws {
    let ids = stream.ids().map { int64Key(UInt64($0)) }
    let noise = TrainingData.noise(batchSize: stream.batchSize, dimension: options.dimension)
    defer { noise.deallocate() }
    let gradients = Span(
      _unsafeElements: UnsafeBufferPointer(
        rebasing: noise[..<(stream.batchSize * options.dimension)]))
    var candidates: [Candidate] = []
    for (number, variant) in Self.variants.enumerated() {
      var configuration = Training.configuration(dimension: options.dimension, kind: .int64)
      variant.change(&configuration)
      candidates.append(
        try Candidate(
          variant.name, path: options.path + "/admission-\(number)", options, configuration))
    }
    var usage = Usage()
    for step in 0..<stream.batches {
      let batch = step * stream.batchSize..<(step + 1) * stream.batchSize
      for candidate in candidates {
        candidate.fromEmpty += try candidate.update(
          IDBatch(ids.span.extracting(batch)), gradients, step: step)
      }
      if options.commitEvery > 0, (step + 1) % options.commitEvery == 0 {
        // The plain table writes more: nobody is to pay for another's commit.
        for candidate in candidates {
          let start = seconds()
          try candidate.database.commit(step: Int64(step))
          candidate.fromEmpty += seconds() - start
        }
      }
    }
    let rows = try candidates.map { try $0.table.count }
    let disk = candidates.map { allocatedBytes($0.database.path + "/data.mdb") }
    try updateRows(candidates, gradients)
    usage.stop()
    for (i, candidate) in candidates.enumerated() {
      var result = ResultLine(.admission, options)
      result.describe(
        stream, dimension: options.dimension, budget: options.budget ?? 4 << 30)
      result["admission"] = candidate.name
      result["from_empty_s"] = candidate.fromEmpty
      result["from_empty_of_none"] = candidate.fromEmpty / candidates[0].fromEmpty
      let cost = zip(candidate.withRows, candidates[0].withRows).map { $0 / $1 }
      result["with_rows_of_none"] = cost.median
      result["with_rows_per_s"] = Double(stream.batchSize) / candidate.withRows.median
      result["stored_rows"] = rows[i]
      result["disk_bytes"] = disk[i]
      result.print(checked: rows[i] <= rows[0], usage: usage)
    }
    for candidate in candidates {
      try candidate.database.close()
      removeDatabase(candidate.database.path)
    }
  }

  /// Updates of ids that have rows everywhere: a tenth of the ids of the stream, drawn as it draws
  /// them.
  private func updateRows(_ candidates: [Candidate], _ gradients: Span<Float>) throws {
    var hot = stream
    hot.rows = max(1, stream.rows / 10)
    hot.batches = min(200, stream.batches)
    let all = (0..<hot.rows).map { int64Key(UInt64($0)) }
    for candidate in candidates {
      for start in stride(from: 0, to: all.count, by: stream.batchSize) {
        let part = all[start..<min(start + stream.batchSize, all.count)]
        try candidate.table.assign(
          IDColumn(Array(part)),
          vectors: [Float](repeating: 0, count: part.count * options.dimension))
      }
      try candidate.database.commit()
    }
    let ids = hot.ids().map { int64Key(UInt64($0)) }
    for step in 0..<hot.batches {
      let batch = step * hot.batchSize..<(step + 1) * hot.batchSize
      // Whoever comes first finds the ids and gradients far away: each in turn.
      for k in candidates.indices {
        let candidate = candidates[(k + step) % candidates.count]
        candidate.withRows.append(
          try candidate.update(
            IDBatch(ids.span.extracting(batch)), gradients, step: stream.batches + step))
      }
    }
  }
}
