import Glibc
import Synchronization
import TestSupport
import Testing

@testable import Embeddings

/// Runs bodies on threads of their own and waits for all of them; gives the errors thrown.
private func onThreads(
  _ count: Int, _ body: @escaping @Sendable (Int) throws -> Void
) async -> [String] {
  await withTaskGroup(of: String?.self) { group in
    for i in 0..<count {
      group.addTask {
        await withCheckedContinuation { continuation in
          let thread = Box {
            do {
              try body(i)
              continuation.resume(returning: nil)
            } catch { continuation.resume(returning: "\(error)") }
          }
          var id = pthread_t()
          pthread_create(
            &id, nil,
            { argument in
              Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().body()
              return nil
            }, Unmanaged.passRetained(thread).toOpaque())
          pthread_detach(id)
        }
      }
    }
    var errors: [String] = []
    for await error in group { if let error { errors.append(error) } }
    return errors
  }
}

private final class Box: Sendable {
  let body: @Sendable () -> Void
  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

@Suite struct ConcurrencyTests {
  let scratch = Scratch()
  private let rounds = testSetting("EMBEDDING_ROUNDS", default: 150)

  /// Two tables always hold one value; a reader that saw half a commit would see two.
  @Test(arguments: [0, 64 << 20])
  func readersSeeWholeCommitsOnly(budget: Int) async throws {
    let database = try scratch.open(budget: budget, mapSize: 256 << 10)
    let tables = try ["a", "b"].map { try database.table($0, plain) }
    for table in tables { try table.set(0..<120, to: 0) }
    try database.commit(step: 0)
    let done = Flag()
    let rounds = rounds
    let errors = await onThreads(4) { thread in
      if thread == 0 {
        defer { done.set() }
        for step in 1...rounds {
          // The rows come, go and change their numbers, and the tables grow.
          for table in tables {
            try table.delete(IDColumn((0..<Int64(step % 7)).map { $0 * 3 }).batch)
            try table.set(0..<120 + Int64(step), to: Float(step), step: Int64(step))
          }
          try database.commit(step: Int64(step))
        }
        return
      }
      var generation: UInt64 = 0
      while !done.isSet {
        try database.read { (view) throws(EmbeddingError) in
          #expect(view.generation >= generation)
          generation = view.generation
          guard view.point.batches == 0 else { return }
          let expected = Float(view.point.step)
          for table in tables {
            #expect(try view.count(of: table.name) == 120 + Int(view.point.step))
            try view.forEachBatch(of: table, ofAtMost: 50) { (batch) throws(EmbeddingError) in
              #expect(batch.vectors.allSatisfy { $0 == expected })
              return true
            }
            var floats = [Float](repeating: -1, count: 8)
            var span = floats.mutableSpan
            try view.lookup(IDColumn([Int64(5), 100]).batch, in: table, into: &span)
            #expect(floats.allSatisfy { $0 == expected })
          }
        }
      }
    }
    #expect(errors == [])
    for table in tables { #expect(try brokenInvariant(of: table) == nil) }
  }

  /// Many threads train the same rows, with a cache that must evict and commit all the time: no
  /// update may be lost, and every one is counted.
  @Test(arguments: [0, 64 << 20], [IDType.int64, .bytes])
  func noUpdateIsLostBetweenThreads(budget: Int, idType: IDType) async throws {
    let database = try scratch.open(budget: budget, mapSize: 256 << 10)
    var configuration = plain
    configuration.idType = idType
    let shape = configuration
    let tables = try ["a", "b"].map { try database.table($0, shape) }
    let rounds = rounds
    let errors = await onThreads(4) { thread in
      var random = SeededGenerator(seed: UInt64(thread))
      for round in 0..<rounds {
        let table = tables[round % 2]
        let numbers = (0..<40).map { Int64($0 * 17 + round * 5) % 1500 }
        let ids = numbers.map { idType == .int64 ? EmbeddingID.int64($0) : EmbeddingID("\($0)") }
        let column = IDColumn(ids, type: idType)
        _ = try table.lookup(column, mode: random.oneIn(2) ? .training : .serving)
        try table.update(
          column, gradients: [Float](repeating: -1, count: 160), step: 1)
        if random.oneIn(9) { _ = try table.metadata(column) }
        if random.oneIn(20) { try database.commit(step: 1) }
        if random.oneIn(15) { _ = try table.count }
      }
    }
    #expect(errors == [])
    #expect(database.state.withLock { $0.live.batches } <= UInt64(4 * rounds))
    try database.commit(step: 1)
    var sum = 0.0
    var frequency: UInt64 = 0
    for table in tables {
      #expect(try brokenInvariant(of: table) == nil)
      try table.forEachBatch(ofAtMost: 1000, includingSlots: false) { (batch) in
        for value in batch.vectors { sum += Double(value) }
        frequency += batch.frequencies.reduce(0, +)
        return true
      }
    }
    #expect(frequency == UInt64(4 * rounds * 40))
    #expect(sum == Double(4 * rounds * 160))
    #expect(database.budget.usedBytes <= database.budget.limit)
  }

  /// Rows are made and deleted by all threads; the number of rows stays exact.
  @Test func rowsMadeAndDeletedByManyThreadsAreCounted() async throws {
    let database = try scratch.open(budget: 0, mapSize: 256 << 10)
    let table = try database.table("t", plain)
    let rounds = rounds
    let errors = await onThreads(4) { thread in
      var random = SeededGenerator(seed: UInt64(thread) + 9)
      for _ in 0..<rounds {
        let start = Int64.random(in: 0..<800, using: &random)
        let ids = IDColumn(Array(start..<start + 30))
        if random.oneIn(3) {
          try table.delete(ids.batch)
        } else {
          _ = try table.lookup(ids, mode: .training)
        }
        if random.oneIn(10) { try database.commit(step: 1) }
      }
    }
    #expect(errors == [])
    let before = try table.count
    try database.commit(step: 1)
    #expect(try table.count == before)
    var rows = 0
    try table.forEachBatch(ofAtMost: 1000, includingSlots: false) { (batch) in
      rows += batch.count
      return true
    }
    #expect(rows == before)
    #expect(try brokenInvariant(of: table) == nil)
  }

  /// Tables are opened, sampled, exported and imported into while others train and commit.
  @Test func everythingAtOnceNeitherHangsNorFails() async throws {
    let database = try scratch.open(budget: 0, mapSize: 256 << 10)
    let table = try database.table("t", plain)
    try table.set(0..<300, to: 1)
    try database.commit(step: 0)
    let rounds = rounds / 3
    let errors = await onThreads(5) { thread in
      for round in 0..<rounds {
        switch thread {
        case 0:
          try table.set(0..<100 + Int64(round % 30), to: 2)
          try database.commit(step: 1)
        case 1:
          let other = try database.table("t\(round % 20)", plain)
          try other.set(0..<20, to: 1)
          _ = try database.table("t", plain)
        case 2:
          let distribution: SamplingDistribution =
            round % 2 == 0 ? .unigram(distortion: 0.75) : .logUniform
          _ = try table.sample(
            SamplingRequest(count: 5, distribution: distribution, seed: UInt64(round)))
        case 3:
          var batch = RowBatch(idType: .int64, dimension: 4)
          batch.ids = IDColumn((0..<30).map { Int64($0 + round) })
          batch.vectors = [Float](repeating: 3, count: 120)
          try table.importRows(ImportOptions(), from: [batch])
        default:
          try table.forEachBatch(ofAtMost: 64, includingSlots: true) { (_) in true }
          _ = try database.tableNames
          _ = try database.lastCommit
        }
      }
    }
    #expect(errors == [])
    try database.commit(step: 2)
    for name in try database.tableNames {
      #expect(try brokenInvariant(of: database.table(name)) == nil)
    }
  }

  @Test func closingWhileBatchesRunStopsThemCleanly() async throws {
    for round in 0..<10 {
      let scratch = Scratch()
      let database = try scratch.open(budget: 0)
      let table = try database.table("t", plain)
      let errors = await onThreads(4) { thread in
        if thread == 0 {
          usleep(UInt32(round) * 500)
          try database.close()
          return
        }
        do {
          for i in 0..<2000 {
            try table.set(Int64(i)..<Int64(i) + 20, to: 1)
            _ = try table.value(Int64(i))
          }
        } catch {
          guard (error as? EmbeddingError)?.code == .closed else { throw error }
        }
      }
      #expect(errors == [])
      #expect(database.budget.usedBytes == 0)
      _ = try scratch.open()
    }
  }
}

/// Set once, seen by all threads.
private final class Flag: Sendable {
  private let value = Atomic<Bool>(false)
  var isSet: Bool { value.load(ordering: .acquiring) }
  func set() { value.store(true, ordering: .releasing) }
}
