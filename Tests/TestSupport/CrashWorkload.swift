package import Embeddings
import Glibc

/// A training run whose every batch is a pure function of its step and number, so that a process
/// that is killed and its oracle agree on what each commit must hold.
package enum CrashWorkload {
  /// The tables, and what they are.
  package static let tables: [(name: String, configuration: TableConfiguration)] = [
    (
      "numbers",
      TableConfiguration(
        dimension: 6, idType: .int64, seed: 3, optimizer: .adagrad(learningRate: 0.1))
    ),
    (
      "words",
      TableConfiguration(
        dimension: 20, idType: .bytes, seed: 4, optimizer: .sgd(learningRate: 0.5))
    ),
    ("rare", rare),
  ]

  /// Ids earn their rows here, and share some before.
  private static var rare: TableConfiguration {
    var configuration = TableConfiguration(
      dimension: 4, idType: .bytes, seed: 5, optimizer: .adagrad(learningRate: 0.2))
    configuration.admission = .counter(threshold: 4)
    configuration.sharedRows = 10
    return configuration
  }

  /// So small that the database commits by itself within steps now and then.
  package static let budget = 128 << 10

  package static let batchesInStep = 5

  /// One call of the trainer.
  package enum Batch: Sendable {
    case update([EmbeddingID], [Float])
    case assign([EmbeddingID], [Float])
    case addFrequency([EmbeddingID])
    case delete([EmbeddingID])
  }

  /// Batch `number` of `step`, and its table.
  package static func batch(_ number: Int, ofStep step: Int64) -> (table: Int, batch: Batch) {
    var random = SeededGenerator(seed: UInt64(step) << 8 | UInt64(number))
    let table = number % 3
    let dimension = tables[table].configuration.dimension
    func ids(_ count: Int) -> [EmbeddingID] {
      (0..<count).map { _ in
        let number = Int.random(in: 0..<2000, using: &random)
        if table == 0 { return .int64(Int64(number) - 700) }
        return EmbeddingID("\(number)" + String(repeating: "-", count: number % 60))
      }
    }
    switch (number, step % 4) {
    case (4, 0): return (table, .delete(ids(40)))
    case (4, 1): return (table, .addFrequency(ids(20)))
    case (4, _), (3, 0):
      let ids = ids(20)
      return (table, .assign(ids, random.floats(20 * dimension)))
    case (3, 1): return (table, .delete(ids(30)))
    default:
      let ids = ids(60)
      return (table, .update(ids, random.floats(60 * dimension)))
    }
  }

  /// The step that is at work at `point`, less one, and the number of its batches that are done.
  ///
  /// A point may count the batches of more than one step: a process that resumed within a step, and
  /// went on with calls that name no step, cannot know where that step ended.
  package static func place(of point: CommitPoint) -> (step: Int64, number: Int) {
    let (steps, number) = Int(point.batches).quotientAndRemainder(dividingBy: batchesInStep)
    return (point.step + Int64(steps), number)
  }

  /// Whether the trainer commits after `step`.
  package static func commits(after step: Int64) -> Bool { step % 3 != 1 }

  /// Applies a batch to a store.
  package static func apply(
    _ batch: Batch, step: Int64, to store: some EmbeddingStore
  ) throws(EmbeddingError) {
    let type = store.configuration.idType
    switch batch {
    case .update(let ids, let gradients):
      try store.update(IDColumn(ids, type: type), gradients: gradients, step: step)
    case .assign(let ids, let vectors):
      try store.assign(IDColumn(ids, type: type), vectors: vectors, step: step)
    case .addFrequency(let ids): try store.addFrequency(IDColumn(ids, type: type).batch)
    case .delete(let ids): try store.delete(IDColumn(ids, type: type).batch)
    }
  }

  /// Opens the database and goes on with the training from where it stands, for ever; `report` hears
  /// of each step that the trainer was told to be durable. Half of the commits run behind the loop.
  package static func train(
    at path: String, durability: Durability, report: (Int64) -> Void
  ) throws(EmbeddingError) {
    let database = try EmbeddingDatabase(
      at: path,
      options: .init(cacheBudget: budget, durability: durability, mapSize: 1 << 20))
    var stores: [EmbeddingTable] = []
    for (name, configuration) in tables {
      stores.append(try database.table(name, configuration))
    }
    var (step, number) = place(of: try database.lastCommit)
    while true {
      step += 1
      while number < batchesInStep {
        let (table, batch) = batch(number, ofStep: step)
        try apply(batch, step: step, to: stores[table])
        number += 1
      }
      number = 0
      if commits(after: step) {
        let waits = step % 3 == 0
        try database.commit(step: step, wait: waits)
        if waits { report(step) }
      }
    }
  }

  // MARK: Imports

  package static let importedRows = 20_000
  package static let importedTable = TableConfiguration(
    dimension: 8, idType: .int64, optimizer: .sgd())

  /// Imports the same ids again and again, each time with the number of the import as vectors.
  package static func importForEver(
    at path: String, durability: Durability, report: (Int64) -> Void
  ) throws(EmbeddingError) {
    let database = try EmbeddingDatabase(
      at: path, options: .init(durability: durability, mapSize: 1 << 20))
    let table = try database.table("imported", importedTable)
    var number = try table.count == 0 ? 0 : Int64(try table.lookup(IDColumn([Int64(0)]))[0])
    while true {
      number += 1
      // Each import has some more rows than the one before it.
      let count = importedRows + Int(number)
      try table.importRows(ImportOptions()) { () throws(EmbeddingError) -> RowSource in
        var next = 0
        return { (batch, limit) throws(EmbeddingError) in
          let end = min(next + min(limit, 3000), count)
          for id in next..<end {
            batch.ids.append(Int64(id))
            batch.vectors.append(contentsOf: repeatElement(Float(number), count: 8))
          }
          defer { next = end }
          return next < count
        }
      }
      report(number)
    }
  }
}

extension CrashWorkload {
  /// What a table that follows another is.
  package static let followingTable = TableConfiguration(
    dimension: 8, idType: .int64, seed: 5, optimizer: .adagrad(learningRate: 0.1))
  package static let deltaCount = 6

  /// The file beside the database at `path` with the full snapshot (number 0), or a delta.
  package static func snapshot(_ number: Int, beside path: String) -> String { "\(path).\(number)" }

  /// Takes in a snapshot and its deltas, going on where a process before this one ended.
  package static func follow(
    at path: String, durability: Durability, report: (Int64) -> Void
  ) throws(EmbeddingError) {
    let database = try EmbeddingDatabase(
      at: path, options: .init(durability: durability, mapSize: 1 << 20))
    let table = try database.table("t", followingTable)
    if try table.count == 0 { try table.importSnapshot(snapshot(0, beside: path)) }
    report(0)
    for number in 1...deltaCount {
      do throws(EmbeddingError) {
        try table.importSnapshot(snapshot(number, beside: path))
      } catch {
        // One of those that were taken in long ago.
        guard error.code == .configurationMismatch else { throw error }
        continue
      }
      report(Int64(number))
    }
    while true { sleep(1) }
  }

  package static let compactedRows: Int64 = 6_000

  /// Gives all rows the number of the step, evicts half of them, and compacts the database, again and
  /// again.
  package static func compactForEver(
    at path: String, durability: Durability, report: (Int64) -> Void
  ) throws(EmbeddingError) {
    let options = EmbeddingDatabase.Options(durability: durability, mapSize: 1 << 20)
    while true {
      let database = try EmbeddingDatabase(at: path, options: options)
      let table = try database.table("imported", importedTable)
      let step = try database.lastCommit.step + 1
      let ids = IDColumn(Array(0..<compactedRows))
      try table.assign(
        ids, vectors: [Float](repeating: Float(step), count: ids.count * 8), step: step)
      try database.commit(step: step)
      try table.evict(.keeping(rows: Int(compactedRows / 2), .newest))
      try database.close()
      try EmbeddingDatabase.compact(at: path, options: options)
      report(step)
    }
  }

  /// Exports a table of ``importedRows`` rows again and again, to `<path>.embsnap`.
  package static func exportForEver(at path: String, report: (Int64) -> Void) throws(EmbeddingError)
  {
    let database = try EmbeddingDatabase(
      at: path, options: .init(durability: .noSync, mapSize: 1 << 20))
    let table = try database.table("imported", importedTable)
    if try table.count == 0 {
      var ids = IDColumn(type: .int64)
      for id in 0..<importedRows { ids.append(Int64(id)) }
      try table.assign(ids, vectors: (0..<importedRows * 8).map { Float($0) })
      try database.commit(step: 1)
    }
    var number: Int64 = 0
    while true {
      try table.exportSnapshot(path + ".embsnap")
      number += 1
      report(number)
    }
  }
}

/// The state that `CrashWorkload` must have at any point of training.
package struct CrashOracle: Sendable {
  package var tables = CrashWorkload.tables.map { ReferenceTable($0.configuration) }
  private var step: Int64 = 0
  private var number = 0

  package init() {}

  /// Goes on to `point`, which must not lie before the current one.
  package mutating func advance(to point: CommitPoint) {
    let end = CrashWorkload.place(of: point)
    while (step, number) < end {
      let (table, batch) = CrashWorkload.batch(number, ofStep: step + 1)
      switch batch {
      case .update(let ids, let gradients):
        tables[table].update(ids, gradients: gradients, step: step + 1)
      case .assign(let ids, let vectors):
        tables[table].assign(ids, vectors: vectors, step: step + 1)
      case .addFrequency(let ids): tables[table].addFrequency(ids)
      case .delete(let ids): _ = tables[table].delete(ids)
      }
      number += 1
      if number == CrashWorkload.batchesInStep { (step, number) = (step + 1, 0) }
    }
  }
}
