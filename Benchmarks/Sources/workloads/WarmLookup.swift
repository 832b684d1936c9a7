import Embeddings
import Machine
import WorkloadData

/// W2: lookups in a table ten times larger than the cache budget, whose file is in the page cache.
///
/// The first eighth of the batches is timed right after opening; then come three eighths untimed,
/// and passes over the second half.
struct WarmLookup {
  let options: RunOptions

  init(_ options: RunOptions) { self.options = options }

  func run() throws {
    let stream = options.applied(to: .w2)
    let source = LookupTable(options, kind: .int64, rows: stream.rows)
    try source.build()
    let batches = LookupBatches(stream, dimension: options.dimension, kind: .int64)
    let budget = options.budget ?? stream.rows * options.dimension * 4 / 10
    touchMemory(min(budget, 8 << 30))
    readOnce(source.dataFile)
    let (database, table) = try source.open(budget: budget)
    let threads = ThreadPair(count: options.threads)

    var usage = Usage()
    let first = 0..<max(1, stream.batches / 8)
    let start = seconds()
    for batch in first { try batches.lookup(batch, in: table, threads) }
    let firstTime = seconds() - start
    let half = max(first.upperBound, stream.batches / 2)
    for batch in first.upperBound..<half { try batches.lookup(batch, in: table, threads) }
    let order = half..<max(half + 1, stream.batches)
    let read = diskReadBytes()
    let passes = try batches.time(order, passes: options.passes, in: table, threads)
    let readEnd = diskReadBytes()
    usage.stop()
    let checked = try batches.check(first, in: table, threads)

    var result = ResultLine(.w2, options)
    result.describe(stream, dimension: options.dimension, budget: budget)
    result["rows_per_s"] = batches.rowsPerSecond(order, passes)
    result["rows_per_s_first"] = batches.rowsPerSecond(first, [firstTime])
    result["rows_per_s_pass_1"] = batches.rowsPerSecond(order, [passes[0]])
    result["passes"] = passes.count
    if let read, let readEnd {
      let rows = passes.count * order.count * stream.batchSize
      result["disk_bytes_per_row"] = Double(readEnd - read) / Double(rows)
    }
    result["disk_bytes"] = allocatedBytes(source.dataFile)
    result.print(checked: checked, usage: usage)
    try database.close()
  }
}
