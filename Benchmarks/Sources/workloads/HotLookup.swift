import Embeddings
import Machine
import WorkloadData

/// W1 and W6-lookup: lookups of rows that are all in memory.
///
/// A pass over all batches to warm up, then timed passes; the median counts. Afterwards every answer
/// is compared with the definition, bit for bit.
struct HotLookup {
  let workload: Workload
  let options: RunOptions
  let kind: KeyKind

  init(_ workload: Workload, _ options: RunOptions) {
    self.workload = workload
    self.options = options
    kind = workload == .w1 ? .int64 : .string
  }

  func run() throws {
    let stream = options.applied(to: .w1)
    let source = LookupTable(options, kind: kind, rows: stream.rows)
    try source.build()
    let batches = LookupBatches(stream, dimension: options.dimension, kind: kind)
    // Half of the budget is for rows; each takes less than 64 bytes beside its vector.
    let budget = options.budget ?? (256 << 20) + stream.rows * (options.dimension * 4 + 160) * 2
    touchMemory(min(budget, 8 << 30) / 2)
    let (database, table) = try source.open(budget: budget)
    let threads = ThreadPair(count: options.threads)

    if options.warmAll { try batches.lookUpAll(in: table) }
    let order = 0..<stream.batches
    for batch in order { try batches.lookup(batch, in: table, threads) }
    var usage = Usage()
    let passes = try batches.time(order, passes: options.passes, in: table, threads)
    usage.stop()
    let checked = try batches.check(order, in: table, threads)

    var result = ResultLine(workload, options)
    result.describe(stream, dimension: options.dimension, budget: budget)
    result["rows_per_s"] = batches.rowsPerSecond(order, passes)
    result["pass_s"] = passes.median
    result["passes"] = passes.count
    result.print(checked: checked, usage: usage)
    try database.close()
  }
}

extension LookupBatches {
  /// Looks every row of the table up once.
  func lookUpAll(in table: EmbeddingTable) throws {
    let all = KeyStream(rows: stream.rows, kind: keys.kind)
    for start in stride(from: 0, to: all.count, by: stream.batchSize) {
      let end = min(start + stream.batchSize, all.count)
      try all.withBatch(start..<end) { ids in
        let target = UnsafeMutableBufferPointer(rebasing: output[..<((end - start) * dimension)])
        var vectors = MutableSpan(_unsafeElements: target)
        try table.lookup(ids, into: &vectors, mode: .serving)
      }
    }
  }

  /// Times passes over some batches: as many as asked for, but only three where they are slow.
  func time(
    _ order: Range<Int>, passes: Int, in table: EmbeddingTable, _ threads: ThreadPair
  ) throws -> [Double] {
    var times: [Double] = []
    while times.count < passes && (times.count < 3 || times.reduce(0, +) < 20) {
      let start = seconds()
      for batch in order { try lookup(batch, in: table, threads) }
      times.append(seconds() - start)
    }
    return times
  }

  func rowsPerSecond(_ order: Range<Int>, _ passes: [Double]) -> Double {
    Double(order.count * stream.batchSize) / passes.median
  }

  /// Looks all batches up once more, and compares the answers with the definition.
  func check(
    _ order: Range<Int>, in table: EmbeddingTable, _ threads: ThreadPair
  ) throws -> Bool {
    let values = TableValues(dimension: dimension)
    for batch in order {
      output.update(repeating: .nan)
      try lookup(batch, in: table, threads)
      guard isAnswered(batch, values) else { return false }
    }
    return true
  }
}
