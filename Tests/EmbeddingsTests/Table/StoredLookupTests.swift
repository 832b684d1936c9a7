import LMDB
import StorageBase
import Synchronization
import TestSupport
import Testing

@testable import Embeddings

/// Lookups of rows that the row cache does not hold, by row numbers and block addresses that were
/// remembered before.
@Suite struct StoredLookupTests {
  let scratch = Scratch()

  /// A row without a value in the table reads as 0.5; one that is not there at all, or zeros from the
  /// wrong place, would read otherwise.
  private let configuration = TableConfiguration(
    dimension: 6, idType: .int64, initializer: .constant(0.5), optimizer: .sgd(learningRate: 1))

  /// Looks ids up twice, the second time by what the first one left, and compares with `expected`.
  private func check(
    _ table: EmbeddingTable, _ ids: [Int64], _ expected: [Int64: Float], _ note: String
  ) throws {
    for round in 0..<2 {
      try table.database.shareCachesAnew()
      let vectors = try table.lookup(IDColumn(ids), mode: .serving)
      for (i, id) in ids.enumerated() {
        let value = expected[id] ?? 0.5
        let isRight = (0..<6).allSatisfy { vectors[6 * i + $0] == value }
        #expect(isRight, "\(note), id \(id), round \(round): \(vectors[6 * i]), not \(value)")
      }
    }
  }

  /// How many of the ids are found by a row number in memory.
  private func numbersKnown(_ table: EmbeddingTable, _ ids: [Int64]) throws -> Int {
    try table.database.environment.read { (transaction) throws(EmbeddingError) in
      let lease = try table.core.locations.lease(transaction) {
        (transaction) throws(EmbeddingError) in
        try table.database.tableRecord(table.name, in: transaction)
      }
      guard let numbers = lease.numbers, let addresses = lease.addresses else { return 0 }
      return ids.count { id in
        var candidates = numbers.candidates(RowKey(int64: id).hash)
        while let row = candidates.next() {
          let place = table.storage.layout.place(ofRow: row)
          guard let address = addresses[place.block] else { continue }
          let block = BlockView(
            layout: table.storage.layout, number: place.block,
            bytes: UnsafeRawBufferPointer(start: address, count: table.storage.layout.byteCount))
          if block.key(place.index) == UInt64(bitPattern: id) { return true }
        }
        return false
      }
    }
  }

  @Test(arguments: [0, 1 << 20, 64 << 20])
  func rowsAreFoundWhereCommitsPutThem(budget: Int) throws {
    let database = try scratch.open(budget: budget)
    let table = try database.table("a", configuration)
    let other = try database.table("b", configuration)
    var random = SeededGenerator(seed: UInt64(budget))
    var expected: [Int64: Float] = [:]
    let all = (-500..<2500).map { Int64($0) }.shuffled(using: &random)
    for step in 1...12 {
      // Rows change, come, and go; the last ones of the table then move.
      let value = Float(step)
      for part in 0..<4 {
        let changed = all.filter { _ in random.oneIn(step == 1 ? 5 : 20) }
        try table.assign(
          IDColumn(changed), vectors: [Float](repeating: value, count: 6 * changed.count),
          step: Int64(step))
        for id in changed { expected[id] = value }
        let gone = all.filter { _ in random.oneIn(part == 0 && step % 3 == 0 ? 2 : 50) } + [0]
        try table.delete(gone)
        for id in gone { expected[id] = nil }
      }
      try other.assign(
        IDColumn([Int64(step)]), vectors: [Float](repeating: value, count: 6), step: Int64(step))
      try database.commit(step: Int64(step))
      try check(table, all, expected, "step \(step)")
    }
    #expect(database.budget.lookupBytes <= database.budget.lookupLimit)
    if budget > 0 {
      let there = all.filter { expected[$0] != nil && $0 != 0 }
      #expect(try numbersKnown(table, there) > there.count * 9 / 10)
    }
    // Without a deletion, and without a lookup before, what a commit wrote is known.
    #expect(try table.lookup(IDColumn([0]), mode: .serving)[0] == 0.5)
    try database.close()
    #expect(database.budget.usedBytes == 0)
  }

  @Test func anImportIsSeen() throws {
    let database = try scratch.open()
    let table = try database.table("a", configuration)
    let ids = (0..<2000).map { Int64($0) }
    for round in 1...3 {
      var batch = RowBatch(idType: .int64, dimension: 6)
      batch.ids = IDColumn(ids.filter { $0 % Int64(round) == 0 })
      batch.vectors = [Float](repeating: Float(round), count: 6 * batch.count)
      try table.importRows(ImportOptions(existing: .replace), from: [batch])
      let expected = ids.map { id -> Float in id % Int64(round) == 0 ? Float(round) : 1 }
      var known = Dictionary(uniqueKeysWithValues: zip(ids, expected))
      if round == 3 { for id in ids where id % 2 == 0 && id % 3 != 0 { known[id] = 2 } }
      try check(table, ids, known, "import \(round)")
    }
  }

  /// One thread trains and commits behind itself, two look up. A row's value only ever grows; rows
  /// that come and go have no value or one of their own.
  @Test(arguments: [0, 1 << 20])
  func lookupsBesideCommitsSeeEachRowMoveOnly(budget: Int) throws {
    let database = try scratch.open(budget: budget)
    let table = try database.table("a", configuration)
    let stable = (1...600).map { Int64($0) }
    let passing = (10_001...10_300).map { Int64($0) }
    try table.assign(
      IDColumn(stable), vectors: [Float](repeating: 1, count: 6 * stable.count), step: 0)
    try database.commit(step: 0)
    let isDone = Atomic(false)
    var threads = [0, 1, 2]
    let problem = inThreads(&threads) { thread, _ -> String? in
      do {
        var random = SeededGenerator(seed: UInt64(thread))
        if thread == 0 {
          defer { isDone.store(true, ordering: .relaxed) }
          for step in 1...120 {
            let some = stable.filter { _ in random.oneIn(8) }
            try table.assign(
              IDColumn(some), vectors: [Float](repeating: Float(step + 1), count: 6 * some.count),
              step: Int64(step))
            if step % 2 == 0 {
              try table.delete(passing.filter { _ in random.oneIn(2) })
            } else {
              try table.assign(
                IDColumn(passing), vectors: [Float](repeating: -1, count: 6 * passing.count),
                step: Int64(step))
            }
            try database.commit(step: Int64(step), wait: step % 5 == 0)
            if step % 3 == 0 { try database.shareCachesAnew() }
          }
          return nil
        }
        var last: [Int64: Float] = [:]
        while !isDone.load(ordering: .relaxed) {
          let ids = (stable + passing).filter { _ in random.oneIn(3) }
          let vectors = try table.lookup(IDColumn(ids), mode: .serving)
          for (i, id) in ids.enumerated() {
            let values = vectors[6 * i..<6 * i + 6]
            let value = values[6 * i]
            guard values.allSatisfy({ $0 == value }) else { return "row \(id) is torn: \(values)" }
            if id > 10_000 {
              guard value == -1 || value == 0.5 else { return "row \(id) is \(value)" }
            } else {
              guard value >= last[id] ?? 1 else {
                return "row \(id) went back from \(last[id] ?? 1) to \(value)"
              }
              last[id] = value
            }
          }
        }
        return nil
      } catch { return "\(error)" }
    }
    #expect(problem == nil)
    try database.close()
  }

  /// Another process commits; a lookup in this one is that of a view of the same commit.
  @Test func aReadOnlyProcessFollowsTheCommitsOfAnother() throws {
    let path = scratch.path
    let child = ChildProcess("CrashWorker", ["train", path, "noSync"])
    defer {
      child.kill()
      child.wait()
    }
    _ = try #require(child.nextReport())
    let database = try EmbeddingDatabase(at: path, options: .readOnly)
    let tables = try CrashWorkload.tables.map { try database.table($0.name, $0.configuration) }
    let numbers = IDColumn((-720..<1320).map { Int64($0) })
    let words = IDColumn((0..<2000).map { "\($0)" + String(repeating: "-", count: $0 % 60) })
    var generations: Set<UInt64> = []
    for _ in 0..<2000 where generations.count < 12 {
      for (table, ids) in zip(tables, [numbers, words]) {
        let before = try database.read { (view) throws(EmbeddingError) in view.generation }
        // The second one finds what the first one noted, if no commit came between.
        _ = try table.lookup(ids, mode: .serving)
        let vectors = try table.lookup(ids, mode: .serving)
        try database.read { (view) throws(EmbeddingError) in
          guard view.generation == before else { return }
          generations.insert(before)
          var expected = [Float](repeating: 0, count: vectors.count)
          var span = expected.mutableSpan
          try view.lookup(ids.batch, in: table, into: &span)
          #expect(vectors == expected, "table \(table.name) at \(view.point)")
        }
      }
    }
    #expect(generations.count > 1)
  }
}
