import AllocationCounter
import Benchmark
import Embeddings
import WorkloadData

/// Allocations of a batch or commit, counted by `AllocationCounter`.
let allocations = BenchmarkMetric.custom("allocations", useScalingFactor: false)

let benchmarks: @Sendable () -> Void = {
  Benchmark.defaultConfiguration = .init(
    metrics: [.wallClock, .throughput, allocations], warmupIterations: 20,
    maxDuration: .seconds(1), maxIterations: 500)

  lookups()
  updates()
  commits()
  bulk()
}

extension Benchmark {
  /// Measures `body` once: its time, and what it allocates.
  func measure(_ body: () throws -> Void) throws {
    startMeasurement()
    let before = allocation_count()
    try body()
    let after = allocation_count()
    stopMeasurement()
    measurement(allocations, Int(after - before))
  }
}

/// Ids in a batch.
let batchSize = 8_192
/// Floats in a vector.
let dimension = 64

/// The probe of the index and the gather of the rows, and what a miss adds.
func lookups() {
  for kind in [KeyKind.int64, .string] {
    Benchmark("lookup-cached-\(kind.rawValue)") { (benchmark: Benchmark, table: PartTable) in
      try benchmark.measure { try table.lookUp() }
    } setup: {
      let table = try PartTable(kind: kind, optimizer: .sgd())
      try table.update(step: 1)
      return table
    }
  }
  Benchmark("lookup-from-file") { (benchmark: Benchmark, table: PartTable) in
    // Every batch has other ids, of which few are in the cache.
    table.first = (table.first + batchSize) % (table.rows - batchSize)
    try benchmark.measure { try table.lookUp() }
  } setup: {
    let table = try PartTable(
      kind: .int64, optimizer: .sgd(), rows: 40 * batchSize, budget: 8 << 20)
    try table.importAll()
    return table
  }
}

/// One optimizer step on rows that are cached, by optimizer.
func updates() {
  let optimizers: [any Optimizer] = [
    .sgd(), .momentum(), .adagrad(), .rowWiseAdagrad(), .ftrl(), .adam(),
  ]
  for optimizer in optimizers {
    Benchmark("update-\(optimizer.name)") { (benchmark: Benchmark, table: PartTable) in
      try benchmark.measure { try table.update(step: 1) }
    } setup: {
      let table = try PartTable(kind: .int64, optimizer: optimizer)
      try table.update(step: 1)
      return table
    }
  }
}

/// A commit of 8,192 changed rows, synced to the disk.
func commits() {
  Benchmark("commit") { (benchmark: Benchmark, table: PartTable) in
    table.step += 1
    try table.update(step: table.step)
    try benchmark.measure { try table.database.commit(step: table.step) }
  } setup: {
    let table = try PartTable(kind: .int64, optimizer: .adagrad())
    try table.update(step: 1)
    try table.database.commit(step: 1)
    return table
  }
}

/// Blocks written and read in one go: import and scan of 65,536 rows.
func bulk() {
  Benchmark(
    "import", configuration: .init(warmupIterations: 2, maxIterations: 20)
  ) { (benchmark: Benchmark, table: PartTable) in
    try benchmark.measure { try table.importAll() }
  } setup: {
    let table = try PartTable(kind: .int64, optimizer: .adagrad(), rows: 8 * batchSize)
    try table.importAll()
    return table
  }
  Benchmark("scan") { (benchmark: Benchmark, table: PartTable) in
    try benchmark.measure { try table.scan() }
  } setup: {
    let table = try PartTable(kind: .int64, optimizer: .adagrad(), rows: 8 * batchSize)
    try table.importAll()
    return table
  }
}
