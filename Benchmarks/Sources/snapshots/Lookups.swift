import Embeddings
import Machine
import Synchronization
import WorkloadData

/// Random present ids, in batches, by one thread and by two that have batches of their own.
struct Lookups {
  let options: Snapshots
  private let ids: [Int64]

  init(_ options: Snapshots) {
    self.options = options
    ids = options.stream.ids().map { key($0) }
  }

  /// From the file.
  func run() throws {
    for budget in options.budgets.split(separator: ",").compactMap({ Int($0) }) {
      for threads in [1, 2] {
        let store = try SnapshotStore(options.snapshot, cacheBudget: budget << 20)
        try measure(store, "snapshot", budget, threads)
      }
    }
  }

  /// From a table that the snapshot was imported into.
  func runOnTable() throws {
    let path = options.path + "/imported"
    for budget in options.budgets.split(separator: ",").compactMap({ Int($0) }) {
      for threads in [1, 2] {
        let database = try EmbeddingDatabase(
          at: path, options: .init(cacheBudget: budget << 20))
        try measure(try database.table("rows"), "table", budget, threads)
        try database.close()
      }
    }
  }

  private func measure(
    _ store: some EmbeddingStore, _ engine: String, _ budget: Int, _ threads: Int
  ) throws {
    var times: [Double] = []
    for _ in 0...options.passes {
      let start = seconds()
      try pass(store, threads)
      times.append(seconds() - start)
    }
    // The first brings file and cache into memory.
    let warm = Array(times.dropFirst()).median
    Result("lookup", ["engine": engine])
      .add("budget_mib", Double(budget)).add("threads", Double(threads))
      .add("rows_per_s", Double(ids.count) / warm)
      .add("first_pass_rows_per_s", Double(ids.count) / times[0])
      .add("checked", try check(store) ? 1 : 0).print()
  }

  private func pass(_ store: some EmbeddingStore, _ threads: Int) throws {
    if threads == 1 { return try part(store, 0, 1) }
    let failed = Mutex(false)
    onTwoThreads { thread in
      do { try part(store, thread, 2) } catch { failed.withLock { $0 = true } }
    }
    precondition(!failed.withLock { $0 }, "a lookup failed")
  }

  /// Every `step`th batch from `first` on.
  private func part(_ store: some EmbeddingStore, _ first: Int, _ step: Int) throws {
    var vectors = [Float](repeating: 0, count: options.batch * options.dimension)
    var span = vectors.mutableSpan
    for batch in stride(from: first, to: options.batches, by: step) {
      let range = batch * options.batch..<(batch + 1) * options.batch
      try store.lookup(IDBatch(ids.span.extracting(range)), into: &span, mode: .serving)
    }
  }

  /// Whether a batch reads as the columns beside the snapshot.
  private func check(_ store: some EmbeddingStore) throws -> Bool {
    let file = MappedFile(options.path + "/vectors.f32")
    let keys = MappedFile(options.path + "/keys.i64")
    var rows: [Int64: Int] = [:]
    for row in 0..<options.rows { rows[keys.load(row, as: Int64.self)] = row }
    let asked = Array(ids.prefix(options.batch))
    let found = try store.lookup(IDColumn(asked))
    for (i, id) in asked.enumerated() {
      guard let row = rows[id] else { return false }
      for d in 0..<options.dimension
      where found[i * options.dimension + d]
        != file.load(row * options.dimension + d, as: Float.self)
      { return false }
    }
    return true
  }
}

/// The key of row `id`.
func key(_ id: UInt32) -> Int64 { int64Key(UInt64(id)) }
