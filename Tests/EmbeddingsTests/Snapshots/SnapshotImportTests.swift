import Foundation
import TestSupport
import Testing

@testable import Embeddings

@Suite struct SnapshotImportTests {
  let scratch = Scratch()

  @Test(arguments: SnapshotKind.all)
  func trainingGoesOnFromAnImportAsIfItHadNeverStopped(kind: SnapshotKind) throws {
    let database = try scratch.open()
    let table = try database.table("t", kind.configuration())
    try kind.train(table, steps: 1...8)
    try database.commit(step: 8)
    try table.exportSnapshot(scratch.file("x"))
    try kind.train(table, steps: 9...20)
    try database.commit(step: 20)

    let other = try scratch.open(named: "db2")
    let resumed = try other.table("t", inspectSnapshot(scratch.file("x")).configuration())
    let summary = try resumed.importSnapshot(scratch.file("x"))
    #expect(summary.rows.inserted == Int(try resumed.count))
    try other.commit(step: summary.description.point.step)
    try kind.train(resumed, steps: 9...20)
    try other.commit(step: 20)
    #expect(try Content(resumed) == Content(table))
    // In memory too.
    let memory = try MemoryEmbeddingStore(kind.configuration())
    try memory.importSnapshot(scratch.file("x"))
    try kind.train(memory, steps: 9...20)
    #expect(try Content(memory) == Content(table))
    #expect(try other.verify().isIntact)
  }

  @Test func rowsThatExistAreReplacedKeptOrRefused() throws {
    let database = try scratch.open()
    let table = try database.table("t", plain)
    try table.set(0..<100, to: 1, step: 3)
    try database.commit(step: 3)
    try table.exportSnapshot(scratch.file("x"))
    func target(_ name: String) throws -> EmbeddingTable {
      let table = try database.table(name, plain)
      try table.set(90..<200, to: 2, step: 5)
      return table
    }
    let replaced = try target("replace")
    var summary = try replaced.importSnapshot(scratch.file("x"))
    #expect(summary.rows.inserted == 90 && summary.rows.replaced == 10)
    #expect(try [0, 95, 150].map { try replaced.value($0) } == [1, 1, 2])
    let kept = try target("keep")
    summary = try kept.importSnapshot(scratch.file("x"), .init(existing: .keep))
    #expect(summary.rows.inserted == 90 && summary.rows.kept == 10)
    #expect(try [0, 95, 150].map { try kept.value($0) } == [1, 2, 2])
    let refused = try target("refuse")
    let error = thrownError {
      try refused.importSnapshot(scratch.file("x"), .init(existing: .refuse))
    }
    #expect(error?.code == .alreadyExists)
    #expect(try refused.count == 110)
  }

  @Test(arguments: Contract.all)
  func ofTwoRowsTheOneWithTheLaterStepStays(contract: Contract) throws {
    func row(_ numbers: some Sequence<Int>, _ value: Float, step: Int64) -> RowBatch {
      var batch = RowBatch(idType: contract.idType, dimension: 3)
      for number in numbers {
        batch.ids.append(contract.id(number))
        batch.vectors += [value, value, value]
        batch.lastSteps.append(step)
      }
      return batch
    }
    let store = try contract.backend.make(contract.configuration(), in: scratch.directory)
    try store.importRows(ImportOptions(), from: [row(0..<300, 1, step: 5)])
    let summary = try store.importRows(
      ImportOptions(existing: .newer),
      from: [
        row(0..<100, 2, step: 4), row(100..<200, 2, step: 5), row(200..<250, 2, step: 6),
        row(290..<400, 2, step: 7), row(200..<250, 3, step: 9),
      ])
    #expect(summary.inserted == 100 && summary.kept == 200)
    #expect(summary.replaced == 60 && summary.duplicates == 50)
    let vectors = try store.lookup(contract.column(0..<400))
    for number in 0..<400 {
      let isOld = number < 200 || (250..<290).contains(number)
      #expect(vectors[3 * number] == (isOld ? 1 : 2))
    }
  }

  @Test func whatDoesNotFitIsRefusedNamingBothValues() throws {
    let database = try scratch.open()
    let source = TableConfiguration(dimension: 4, idType: .int64, optimizer: .adagrad())
    let table = try database.table("t", source)
    try table.set(0..<10, to: 1)
    try database.commit(step: 1)
    let path = scratch.file("x")
    try table.exportSnapshot(path)
    func refusal(_ change: (inout TableConfiguration) -> Void) throws -> String {
      var configuration = source
      change(&configuration)
      let store = try MemoryEmbeddingStore(configuration)
      let error = thrownError { try store.importSnapshot(path) }
      #expect(error?.code == .configurationMismatch)
      #expect(try store.count == 0)
      return error?.message ?? ""
    }
    var text = try refusal { $0.dimension = 5 }
    #expect(text.contains("dimension 4") && text.contains("5"))
    text = try refusal { $0.idType = .bytes }
    #expect(text.contains("int64") && text.contains("bytes"))
    text = try refusal { $0.optimizer = .adam() }
    #expect(text.contains("adagrad") && text.contains("adam"))

    let adam = try MemoryEmbeddingStore(
      TableConfiguration(dimension: 4, idType: .int64, optimizer: .adam()))
    try adam.importSnapshot(path, .init(vectorsOnly: true, step: 9))
    #expect(try adam.lookup([3]) == [[1, 1, 1, 1]])
    #expect(try adam.metadata(of: 3).lastStep == 9)

    try table.exportSnapshot(path, .init(includesSlots: false))
    #expect(thrownError { try table.importSnapshot(path) }?.message.contains("slots") == true)
    try table.importSnapshot(path, .init(vectorsOnly: true))
    try table.exportSnapshot(path, .init(encoding: .int8))
    #expect(thrownError { try table.importSnapshot(path) }?.message.contains("int8") == true)
    try table.importSnapshot(path, .init(acceptsLossy: true))
  }

  @Test func hotRowsShareBlocksAfterAnImport() throws {
    let database = try scratch.open()
    let table = try database.table("t", plain)
    let count = 40_000
    // One of 50 ids is hot, scattered over the order of the ids.
    func frequency(_ id: Int) -> Int { id % 50 == 7 ? 100 + id % 90 : 1 + id % 3 }
    try table.set(0..<Int64(count), to: 1)
    for seen in 1...189 {
      let ids = (0..<count).filter { frequency($0) >= seen }.map { Int64($0) }
      try table.addFrequency(IDColumn(ids).batch)
    }
    try database.commit(step: 1)
    try table.exportSnapshot(scratch.file("x"))
    let target = try database.table("target", plain)
    try target.importSnapshot(scratch.file("x"))
    let content = try Content(target)
    #expect(try content == Content(table))
    let rowsPerBlock = target.core.storage.layout.rowsPerBlock
    let hot = content.order.indices.filter { content.rows[content.order[$0]]!.frequency >= 100 }
    let blocks = Set(hot.map { $0 / rowsPerBlock })
    #expect(hot.count == count / 50)
    #expect(blocks.count <= hot.count / rowsPerBlock + 2)
    // The hottest come in falling order.
    let frequencies = hot.map { content.rows[content.order[$0]]!.frequency }
    #expect(frequencies.first! < 200 && frequencies.count { $0 >= 128 } > 0)
    // The same order every time.
    let again = try database.table("again", plain)
    try again.importSnapshot(scratch.file("x"))
    #expect(try Content(again).order == content.order)
    #expect(try database.verify().isIntact)
  }

  @Test func rowsOfLikeFrequencyComeInRunsOfWholeBlocks() throws {
    var runs = FrequencyRuns(
      RowBatch(idType: .int64, dimension: 2, slotCount: 1), rowsPerBlock: 10, runBytes: 36 * 45)
    var random = SeededGenerator(seed: 3)
    var given: [Int64: UInt64] = [:]
    var next: Int64 = 0
    var (sizes, order): ([Int], [Int64]) = ([], [])
    var batch = RowBatch(idType: .int64, dimension: 2, slotCount: 1)
    var frequencies: [[UInt64]] = []
    while try runs.next(
      into: &batch,
      from: { (rows) throws(EmbeddingError) in
        guard next < 2000 else { return false }
        rows.removeAll()
        for _ in 0..<123 {
          let frequency = UInt64(1) << UInt64.random(in: 0..<6, using: &random) / 2
          rows.ids.append(next)
          rows.vectors += [Float(next), 1]
          rows.slots.append(Float(frequency))
          rows.frequencies.append(frequency)
          rows.lastSteps.append(next)
          given[next] = frequency
          next += 1
        }
        return true
      })
    {
      sizes.append(batch.count)
      frequencies.append(batch.frequencies)
      for i in 0..<batch.count {
        let id = batch.ids.int64s[i]
        order.append(id)
        #expect(given[id] == batch.frequencies[i] && batch.slots[i] == Float(batch.frequencies[i]))
        #expect(batch.vectors[2 * i] == Float(id) && batch.lastSteps[i] == id)
      }
    }
    #expect(order.count == given.count && Set(order).count == given.count)
    let whole = sizes.prefix { $0 == 40 }.count
    #expect(whole > 20 && sizes.dropFirst(whole).allSatisfy { $0 < 40 })
    #expect(sizes.count - whole <= 6)
    #expect(frequencies.allSatisfy { Set($0.map { 64 - $0.leadingZeroBitCount }).count == 1 })
    let rest = frequencies.dropFirst(whole).flatMap { $0 }
    #expect(rest == rest.sorted(by: >))
  }

  @Test func anotherSeedOrInitializerIsRefusedAndOtherTrainingIsNamed() throws {
    let database = try scratch.open()
    let source = TableConfiguration(
      dimension: 4, idType: .int64, initializer: .uniform(-0.1...0.1), seed: 5,
      optimizer: .adagrad(learningRate: 0.1))
    let table = try database.table("t", source)
    try table.set(0..<10, to: 1)
    try database.commit(step: 1)
    let path = scratch.file("x")
    try table.exportSnapshot(path)
    func store(
      _ change: (inout TableConfiguration) -> Void
    ) throws -> MemoryEmbeddingStore {
      var configuration = source
      change(&configuration)
      return try MemoryEmbeddingStore(configuration)
    }
    var other = try store { $0.seed = 6 }
    var error = thrownError { try other.importSnapshot(path) }
    #expect(error?.code == .configurationMismatch)
    #expect(error?.message.contains("seed 5") == true && error?.message.contains("6") == true)
    #expect(try other.count == 0)
    var summary = try other.importSnapshot(path, .init(acceptsOtherInitialVectors: true))
    #expect(summary.notes.count == 1 && summary.notes[0].contains("seed 5"))

    other = try store { $0.initializer = .uniform(-0.2...0.2) }
    error = thrownError { try other.importSnapshot(path) }
    #expect(error?.code == .configurationMismatch)
    #expect(error?.message.contains("0.1") == true && error?.message.contains("0.2") == true)
    summary = try other.importSnapshot(path, .init(vectorsOnly: true))
    #expect(summary.notes.count == 1 && summary.rows.inserted == 10)

    other = try store { $0.optimizer = .adagrad(learningRate: 0.2, initialAccumulator: 0.3) }
    summary = try other.importSnapshot(path)
    #expect(summary.notes.count == 2)
    #expect(summary.notes[0].contains("learning rate 0.1, the table has 0.2"))
    #expect(summary.notes[1].contains("initialAccumulator"))
    #expect(try store { _ in }.importSnapshot(path).notes.isEmpty)
    // A constant does not depend on the seed.
    let constant = try database.table("c", plain)
    try constant.set(0..<10, to: 1)
    try database.commit(step: 2)
    try constant.exportSnapshot(path)
    var seeded = plain
    seeded.seed = 99
    #expect(try MemoryEmbeddingStore(seeded).importSnapshot(path).notes.isEmpty)
  }

  @Test func aDeltaIsRefused() throws {
    let store = try MemoryEmbeddingStore(plain)
    let path = scratch.file("delta")
    try writeDelta(path)
    let error = thrownError { try store.importSnapshot(path) }
    #expect(error?.code == .invalidArgument)
    #expect(error?.message.contains("embstore merge") == true)
    #expect(thrownError { _ = try SnapshotStore(path) }?.code == .invalidArgument)
  }

  @Test func aDamagedOrShortenedSnapshotChangesNothing() throws {
    let kind = SnapshotKind(idType: .bytes, optimizer: .adagrad())
    let database = try scratch.open()
    let table = try database.table("t", kind.configuration())
    try kind.train(table, steps: 1...3)
    try database.commit(step: 3)
    try table.exportSnapshot(scratch.file("x"))
    let whole = try scratch.bytes("x")
    let fresh = try database.table("fresh", kind.configuration())
    for i in stride(from: 0, to: whole.count, by: whole.count / 40) {
      var bytes = whole
      bytes[i] ^= 16
      for damaged in [bytes, whole.prefix(i)] {
        try damaged.write(to: URL(filePath: scratch.file("y")))
        let error = thrownError { try fresh.importSnapshot(scratch.file("y")) }
        #expect(
          error?.code == .corruption || error?.code == .unsupportedFormat,
          "byte \(i): \(error as Any)")
        #expect(try fresh.count == 0)
      }
    }
    try fresh.importSnapshot(scratch.file("x"))
    #expect(try Content(fresh) == Content(table))
  }

  @Test func theMapGrowsDuringAnImport() throws {
    let kind = SnapshotKind(idType: .int64, optimizer: .adagrad())
    let memory = try scratch.open()
    let table = try memory.table("t", kind.configuration(64))
    try kind.train(table, steps: 1...10)
    try memory.commit(step: 10)
    try table.exportSnapshot(scratch.file("x"))
    let small = try openDatabase(scratch.file("db-small"), mapSize: 256 << 10)
    let target = try small.table("t", kind.configuration(64))
    try target.importSnapshot(scratch.file("x"))
    #expect(try Content(target) == Content(table))
  }

  private func writeDelta(_ path: String) throws {
    let description = SnapshotDescription(
      identity: SnapshotIdentity(high: 1, low: 2), table: "t", idType: .int64, dimension: 4,
      initializer: "constant", initializerParameters: [Hyperparameter(name: "value", value: 0)],
      optimizer: "sgd", learningRate: 1, point: CommitPoint(step: 2), generation: 2,
      base: .init(identity: SnapshotIdentity(high: 0, low: 1), point: CommitPoint(step: 1)))
    try SnapshotWriter(path: path, description: description).finish()
  }
}
