import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Embeddings

@Suite struct SnapshotStoreTests {
  let scratch = Scratch()

  private func exported(_ kind: SnapshotKind) throws -> EmbeddingTable {
    let database = try scratch.open()
    let table = try database.table("t", kind.configuration())
    try kind.train(table, steps: 1...8)
    try database.commit(step: 8)
    try table.exportSnapshot(scratch.file("x"))
    return table
  }

  @Test(arguments: SnapshotKind.all, [0, 64 << 20])
  func itServesWhatTheTableServes(kind: SnapshotKind, budget: Int) throws {
    let table = try exported(kind)
    let store = try SnapshotStore(scratch.file("x"), cacheBudget: budget)
    // Ids with rows and without, some more than once.
    let ids = kind.column((0..<3000).map { $0 * 37 % 9001 } + [0, 0, 1])
    #expect(try store.lookup(ids) == table.lookup(ids))
    #expect(try store.metadata(ids) == table.metadata(ids))
    #expect(try store.count == table.count)
    let empty = IDColumn(type: kind.idType)
    #expect(try store.lookup(empty) == [])
    let query = try table.lookup(kind.column([1]))
    let near = try store.nearest(to: query, count: 5)
    #expect(try near.map(\.score) == table.nearest(to: query, count: 5).map(\.score))
    // The word vectors go out to other formats as well.
    try store.exportFile(scratch.file("x.bin"), FileExportOptions(order: .frequency))
    #expect(try FileFormat.detect(path: scratch.file("x.bin")) == .word2vecBinary)
  }

  @Test(
    arguments: [IDType.int64, .bytes],
    [SamplingDistribution.uniform, .logUniform, .unigram(distortion: 0.75)])
  func samplesHaveRightProbabilities(idType: IDType, distribution: SamplingDistribution) throws {
    let kind = SnapshotKind(idType: idType, optimizer: .sgd())
    let table = try exported(kind)
    let store = try SnapshotStore(scratch.file("x"))
    let content = try Content(table, includingSlots: false)
    let positives = kind.column([3, 100_000])
    let sample = try store.sample(
      SamplingRequest(count: 200, distribution: distribution, seed: 5), positives: positives)
    #expect(sample.count == 200)
    let again = try store.sample(
      SamplingRequest(count: 200, distribution: distribution, seed: 5), positives: positives)
    #expect(again == sample)
    let total = content.rows.values.reduce(0.0) { $0 + pow(Double($1.frequency), 0.75) }
    for i in 2..<200 {
      let row = try #require(content.rows[sample.ids[i]])
      let expected: Double? =
        switch distribution {
        case .uniform: 1 / Double(content.rows.count)
        case .unigram: pow(Double(row.frequency), 0.75) / total
        default: nil
        }
      guard let expected else { continue }
      #expect(abs(Double(sample.probability[i]) - expected) < 1e-4 * expected)
    }
  }

  @Test func whatWouldChangeItIsRefused() throws {
    let kind = SnapshotKind(idType: .int64, optimizer: .adagrad())
    _ = try exported(kind)
    let store = try SnapshotStore(scratch.file("x"))
    let zeros = [Float](repeating: 0, count: 5)
    let ids = IDColumn([7 as Int64])
    #expect(code { _ = try store.lookup(ids, mode: .training) } == .readOnly)
    #expect(code { try store.update(ids, gradients: zeros, step: 1) } == .readOnly)
    #expect(code { try store.assign(ids, vectors: zeros) } == .readOnly)
    #expect(code { try store.addFrequency(ids.batch) } == .readOnly)
    #expect(code { try store.delete([7 as Int64]) } == .readOnly)
    #expect(code { try store.importSnapshot(scratch.file("x")) } == .readOnly)
    #expect(code { _ = try store.lookup(["seven"]) } == .invalidArgument)
    #expect(code { _ = try SnapshotStore(scratch.file("no")) } == .notFound)
    try Data("hello".utf8).write(to: URL(filePath: scratch.file("text")))
    #expect(code { _ = try SnapshotStore(scratch.file("text")) } == .unsupportedFormat)
    #expect(!isSnapshot(scratch.file("text")) && !isSnapshot(scratch.file("no")))
    #expect(isSnapshot(scratch.file("x")) && !isSnapshot("-"))
  }

  @Test func aScanStopsWhereItIsToldTo() throws {
    _ = try exported(SnapshotKind(idType: .int64, optimizer: .sgd()))
    let store = try SnapshotStore(scratch.file("x"))
    var rows = 0
    try store.forEachBatch(ofAtMost: 10, includingSlots: false) {
      (batch) throws(EmbeddingError) -> Bool in
      rows += batch.count
      return rows < 35
    }
    #expect(rows == 40)
    let failure = thrownError {
      try store.forEachBatch(ofAtMost: 10, includingSlots: false) {
        (_) throws(EmbeddingError) -> Bool in throw EmbeddingError(.io, "mine")
      }
    }
    #expect(failure?.message == "mine")
  }

  @Test func slotsThatWereLeftOutAreNotMadeUp() throws {
    let table = try exported(SnapshotKind(idType: .int64, optimizer: .adagrad()))
    try table.exportSnapshot(scratch.file("y"), .init(includesSlots: false))
    let store = try SnapshotStore(scratch.file("y"))
    #expect(thrownError { _ = try Content(store) }?.message.contains("without") == true)
    #expect(try Content(store, includingSlots: false) == Content(table, includingSlots: false))
  }

  @Test func manyThreadsLookUpAtOnce() async throws {
    let kind = SnapshotKind(idType: .bytes, optimizer: .sgd())
    let table = try exported(kind)
    let store = try SnapshotStore(scratch.file("x"), cacheBudget: 100_000)
    let ids = kind.column(0..<1500)
    let expected = try table.lookup(ids)
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<4 {
        group.addTask {
          for _ in 0..<5 where try store.lookup(ids) != expected { return false }
          return true
        }
      }
      for try await isEqual in group { #expect(isEqual) }
    }
  }

  /// Every float of the table has one value in each commit: a snapshot of two would show both.
  @Test func anExportBesideTrainingIsExactlyOneCommit() throws {
    let database = try scratch.open(budget: 1 << 20, mapSize: 64 << 20)
    let table = try database.table("t", plain)
    try table.set(0..<3000, to: 0)
    try database.commit(step: 0)
    let failure = Mutex("")
    let isDone = Mutex(false)
    // The bodies share nothing but what is locked.
    func train() {
      do {
        for step in Int64(1)...120 {
          try table.set(0..<(3000 + step), to: Float(step), step: step)
          try database.commit(step: step)
        }
      } catch { failure.withLock { $0 = "\(error)" } }
      isDone.withLock { $0 = true }
    }
    var exports: [(description: SnapshotDescription, path: String)] = []
    func export() {
      do {
        repeat {
          let path = scratch.file("x\(exports.count)")
          exports.append((try table.exportSnapshot(path).description, path))
        } while !isDone.withLock { $0 }
      } catch { failure.withLock { $0 = "\(error)" } }
    }
    concurrently(train, export)
    #expect(failure.withLock { $0 } == "")
    #expect(exports.count > 1)
    var last: Int64 = -1
    for (description, path) in exports {
      let step = description.point.step
      #expect(step >= last)
      last = step
      let content = try Content(try SnapshotStore(path))
      #expect(content.rows.count == 3000 + Int(step))
      #expect(Set(content.rows.values.flatMap(\.vector)) == [Float(step).bitPattern])
      #expect(verifySnapshot(path).isIntact)
    }
  }
}
