import Foundation
import TestSupport
import Testing

@testable import Embeddings

@Suite struct DatabaseTests {
  let scratch = Scratch()

  @Test func aDatabaseReopensAtItsLastCommit() throws {
    var database = try scratch.open()
    var table = try database.table("t", plain)
    try table.set(0..<100, to: 1, step: 3)
    try database.commit(step: 3)
    try table.set(50..<150, to: 2, step: 4)
    try database.close()

    database = try scratch.open()
    table = try database.table("t")
    #expect(try database.lastCommit == CommitPoint(step: 3))
    #expect(try table.count == 100)
    #expect(try table.value(60) == 1)
    #expect(try table.value(120) == 0)
    #expect(try brokenInvariant(of: table) == nil)
  }

  @Test func closingTwiceIsHarmlessAndLaterCallsAreRefused() throws {
    let database = try scratch.open()
    let table = try database.table("t", plain)
    try table.set(0..<10, to: 1)
    try database.close()
    try database.close()
    #expect(code { try table.set(0..<1, to: 2) } == .closed)
    #expect(code { _ = try table.value(1) } == .closed)
    #expect(code { _ = try table.count } == .closed)
    #expect(code { try database.commit(step: 1) } == .closed)
    #expect(code { _ = try database.table("t") } == .closed)
    #expect(code { try table.importRows(ImportOptions(), from: []) } == .closed)
    #expect(
      code {
        try table.forEachBatch(ofAtMost: 1, includingSlots: false) { (_) in true }
      } == .closed)
  }

  @Test func aSecondOpeningIsRefused() throws {
    let database = try scratch.open()
    #expect(code { _ = try scratch.open() } == .environmentInUse)
    #expect(
      code { _ = try EmbeddingDatabase(at: scratch.path, options: .readOnly) }
        == .environmentInUse)
    try database.close()
    _ = try scratch.open()
  }

  #if os(Linux)
    /// As a child that was forked a moment ago has all files until it runs its own program.
    @Test func aClosedDatabaseOpensThoughAChildStillHasItsFiles() throws {
      let database = try scratch.open()
      let table = try database.table("t", plain)
      try table.set(0..<10, to: 1)
      let held = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
        .compactMap(Int32.init).filter { file in
          let target = try? FileManager.default.destinationOfSymbolicLink(
            atPath: "/proc/self/fd/\(file)")
          return target?.hasPrefix(scratch.path) == true && target?.hasSuffix("writer.lock") == true
        }.map { dup($0) }
      defer { for file in held { close(file) } }
      #expect(held.count == 1)
      try database.commit(step: 1)
      try database.close()
      let again = try scratch.open()
      #expect(try again.table("t").count == 10)
    }
  #endif

  @Test func anotherProcessIsRefusedToWriteAndMayRead() async throws {
    let database = try scratch.open()
    let table = try database.table("t", plain)
    try table.set(0..<10, to: 5)
    try database.commit(step: 1)
    await #expect(processExitsWith: .success) { [path = scratch.path as String] in
      #expect(code { _ = try EmbeddingDatabase(at: path) } == .environmentInUse)
      let database = try EmbeddingDatabase(at: path, options: .readOnly)
      let table = try database.table("t", plain)
      #expect(try table.value(3) == 5)
      #expect(try table.count == 10)
      #expect(try database.lastCommit == CommitPoint(step: 1))
    }
    try table.set(0..<10, to: 6)
    try database.commit(step: 2)
  }

  @Test func everyDifferenceOfConfigurationNamesBothValues() throws {
    let database = try scratch.open()
    let stored = TableConfiguration(
      dimension: 8, idType: .int64, initializer: .uniform(-1...1), seed: 1,
      optimizer: .adagrad(initialAccumulator: 0.5))
    _ = try database.table("t", stored)
    func refused(_ change: (inout TableConfiguration) -> Void, _ mine: String, _ theirs: String) {
      var other = stored
      change(&other)
      let text = message { _ = try database.table("t", other) }
      #expect(code { _ = try database.table("t", other) } == .configurationMismatch)
      #expect(text.contains(mine) && text.contains(theirs), "\(text)")
    }
    refused({ $0.dimension = 9 }, "9", "8")
    refused({ $0.idType = .bytes }, "bytes", "int64")
    refused({ $0.initializer = .zeros }, "asked for", "stored")
    refused({ $0.seed = 22 }, "22", "1")
    refused({ $0.optimizer = .sgd() }, "sgd", "adagrad")
    refused({ $0.optimizer = .adagrad(initialAccumulator: 0.25) }, "0.25", "0.5")
    // The learning rate is no part of the identity.
    var other = stored
    other.optimizer = .adagrad(learningRate: 9, initialAccumulator: 0.5)
    _ = try database.table("t", other)
  }

  @Test func impossibleConfigurationsAreRefused() throws {
    let database = try scratch.open()
    for dimension in [0, -1, 8193] {
      #expect(
        code { _ = try database.table("t", TableConfiguration(dimension: dimension)) }
          == .invalidConfiguration)
    }
    #expect(code { _ = try database.table("", plain) } == .invalidArgument)
    let long = String(repeating: "n", count: 256)
    #expect(code { _ = try database.table(long, plain) } == .invalidArgument)
    #expect(code { _ = try database.table(long + long + long) } == .notFound)
    #expect(code { _ = try database.table("absent") } == .notFound)
    #expect(try database.tableNames == [])
  }

  @Test func theOptimizerMayChangeItsParametersButNotItsKind() throws {
    var database = try scratch.open()
    let configuration = TableConfiguration(
      dimension: 4, idType: .int64, initializer: .zeros, optimizer: .adagrad(learningRate: 1))
    var table = try database.table("t", configuration)
    try table.update([1], gradients: [[1, 1, 1, 1]], step: 1)
    try database.setOptimizer(.adagrad(learningRate: 2, epsilon: 0.5), of: "t")
    #expect(code { try database.setOptimizer(.sgd(), of: "t") } == .configurationMismatch)
    // Uncommitted training lives on.
    #expect(try table.value(1) != 0)
    try database.commit(step: 1)
    try database.close()
    database = try scratch.open()
    table = try database.table("t")
    #expect((table.configuration.optimizer as? Adagrad)?.epsilon == 0.5)
    #expect(code { _ = try database.table("t", configuration) } == .configurationMismatch)
  }

  @Test func aDroppedTableIsGoneAndItsNameFree() throws {
    let database = try scratch.open()
    let table = try database.table("t", plain)
    let other = try database.table("other", plain)
    try table.set(0..<500, to: 1)
    try other.set(0..<500, to: 2)
    try database.commit(step: 1)
    try table.set(0..<700, to: 3)
    try database.dropTable("t")
    #expect(try database.tableNames == ["other"])
    #expect(code { _ = try table.value(1) } != nil)
    #expect(code { try table.set(0..<2, to: 1) } != nil)
    var bytes = plain
    bytes.idType = .bytes
    let again = try database.table("t", bytes)
    #expect(try again.count == 0)
    try again.assign(["a"], vectors: [[1, 2, 3, 4]])
    try database.commit(step: 2)
    #expect(code { _ = try table.value(1) } != nil)
    #expect(try other.value(3) == 2)
    #expect(try brokenInvariant(of: other) == nil)
    #expect(try brokenInvariant(of: again) == nil)
    #expect(database.budget.dirtyBytes == 0)
  }

  @Test func aReadOnlyDatabaseRefusesWhatWouldChangeIt() throws {
    var database = try scratch.open()
    try database.table("t", plain).set(0..<10, to: 1)
    try database.commit(step: 7)
    try database.close()
    database = try EmbeddingDatabase(at: scratch.path, options: .readOnly)
    let table = try database.table("t", plain)
    #expect(try table.value(1) == 1)
    #expect(try table.value(99) == 0)
    #expect(try table.metadata(of: 1).isPresent && !table.metadata(of: 99).isPresent)
    let codes = [
      code { _ = try table.lookup([1], mode: .training) },
      code { try table.set(0..<1, to: 1) },
      code { try table.update([1], gradients: [[1, 1, 1, 1]], step: 8) },
      code { try table.addFrequency(IDColumn([1]).batch) },
      code { try table.delete([1]) },
      code { try table.importRows(ImportOptions(), from: []) },
      code { try database.commit(step: 9) },
      code { _ = try database.table("new", plain) },
      code { try database.dropTable("t") },
      code { try database.setOptimizer(.sgd(), of: "t") },
    ]
    for (i, code) in codes.enumerated() { #expect(code == .readOnly, "call \(i)") }
    #expect(
      code { _ = try EmbeddingDatabase(at: scratch.path + "-absent", options: .readOnly) }
        == .notFound)
  }

  @Test func anImportWhoseSourceUsesTheDatabaseIsRefusedInsteadOfWaitingForItself() throws {
    let database = try scratch.open()
    let table = try database.table("t", plain)
    try table.set(0..<10, to: 1)
    #expect(
      code {
        try table.importRows(ImportOptions()) { () throws(EmbeddingError) -> RowSource in
          _ = try table.value(1)
          return { (_, _) in false }
        }
      } == .reentrancy)
    #expect(
      code {
        try table.importRows(ImportOptions()) { () throws(EmbeddingError) -> RowSource in
          try database.commit(step: 1)
          return { (_, _) in false }
        }
      } == .reentrancy)
    #expect(try table.value(1) == 1)
    try database.commit(step: 1)
  }
}
