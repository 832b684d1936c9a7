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
