import Foundation
import Snapshots
import StorageBase
import TestSupport
import Testing

@testable import Embeddings

/// Snapshots of tables whose ids have to earn their rows.
@Suite struct SnapshotLifeTests {
  let scratch = Scratch()

  /// A way for ids to earn rows, without rows on probation: these are in no commit.
  struct Life: CustomTestStringConvertible, Sendable {
    let idType: IDType
    let admission: Admission
    var cutoff: UInt64 = 0
    var sharedRows = 0
    var testDescription: String { "\(idType), \(admission), \(cutoff), \(sharedRows) shared" }

    var kind: SnapshotKind { SnapshotKind(idType: idType, optimizer: .adagrad()) }

    var configuration: TableConfiguration {
      var configuration = kind.configuration()
      configuration.admission = admission
      configuration.cutoff = cutoff
      configuration.sharedRows = sharedRows
      return configuration
    }
  }

  static let lives = [
    Life(
      idType: .int64, admission: .countingBloomFilter(threshold: 3, expectedIDs: 300),
      sharedRows: 50),
    Life(idType: .bytes, admission: .counter(threshold: 4), sharedRows: 7),
    Life(idType: .bytes, admission: .bloomFilter(expectedIDs: 2000)),
    Life(idType: .int64, admission: .none, cutoff: 5, sharedRows: 1000),
    Life(idType: .int64, admission: .probabilistic(threshold: 3), sharedRows: 3),
  ]

  private func life(_ table: EmbeddingTable) -> LifeCounts {
    table.core.admission!.life(in: table.cache)
  }

  /// Every id that training may name, and some more.
  private func everything(_ store: some EmbeddingStore, _ life: Life) throws -> [Float] {
    try store.lookup(life.kind.column(0..<4200))
  }

  @Test(arguments: lives) func anIDThatWasAboutToBeAdmittedStillIs(_ life: Life) throws {
    let database = try scratch.open()
    let table = try database.table("t", life.configuration)
    try life.kind.train(table, steps: 1...6)
    try database.commit(step: 6)
    try table.exportSnapshot(scratch.file("x"))
    try table.exportSnapshot(scratch.file("y"))
    #expect(try scratch.bytes("x") == scratch.bytes("y"))
    #expect(verifySnapshot(scratch.file("x")).isIntact)

    let other = try scratch.open(named: "db2")
    let configuration = try inspectSnapshot(scratch.file("x")).configuration()
    #expect(configuration.difference(from: life.configuration) == nil)
    let resumed = try other.table("t", configuration)
    let summary = try resumed.importSnapshot(scratch.file("x"))
    #expect(summary.includesLife && summary.notes == [])
    #expect(resumed.identity == table.identity)
    #expect(self.life(resumed) == self.life(table))
    #expect(try everything(resumed, life) == everything(table, life))
    try other.commit(step: 6)
    #expect(try other.verify().problems == [])
    // It comes to the same rows: nothing was forgotten of what was counted, nor of what was shared.
    if case .probabilistic = life.admission { return }
    for (table, database) in [(table, database), (resumed, other)] {
      try life.kind.train(table, steps: 7...12)
      try database.commit(step: 12)
    }
    #expect(try Content(resumed) == Content(table))
    #expect(self.life(resumed) == self.life(table))
    #expect(try everything(resumed, life) == everything(table, life))
    // Also once it was closed in between.
    try other.close()
    let reopened = try scratch.open(named: "db2")
    #expect(try everything(reopened.table("t"), life) == everything(table, life))
  }

  @Test(arguments: lives) func aBaseAndItsDeltasAreTheFullSnapshot(_ life: Life) throws {
    let database = try scratch.open()
    let table = try database.table("t", life.configuration)
    let other = try scratch.open(named: "db2")
    let follower = try other.table("t", life.configuration)
    for number in 1...4 {
      let step = Int64(number)
      if number < 4 {
        try life.kind.train(table, steps: step...step)
      } else {
        // Only the shared rows change, and for some filters only what was counted.
        let ids = life.kind.column([100_000, 100_001])
        try table.update(
          ids, gradients: [Float](repeating: 1, count: 10), step: step,
          counting: life.sharedRows > 0 ? .none : .automatic)
      }
      try database.commit(step: step)
      try table.exportSnapshot(scratch.file("full\(number)"))
      guard number > 1 else {
        try follower.importSnapshot(scratch.file("full1"))
        continue
      }
      try table.exportSnapshot(
        scratch.file("delta\(number)"), .init(since: .snapshot(scratch.file("full\(number - 1)"))))
      try mergeSnapshots(
        scratch.file("full\(number - 1)"), [scratch.file("delta\(number)")],
        into: scratch.file("merged"))
      #expect(try scratch.bytes("merged") == scratch.bytes("full\(number)"))
      let summary = try follower.importSnapshot(scratch.file("delta\(number)"))
      #expect(!summary.wasApplied && summary.includesLife)
      #expect(follower.identity == table.identity)
      #expect(try everything(follower, life) == everything(table, life))
      #expect(self.life(follower) == self.life(table))
    }
    #expect(try other.verify().problems == [])
    if case .probabilistic = life.admission { return }
    for (table, database) in [(table, database), (follower, other)] {
      try life.kind.train(table, steps: 7...12)
      try database.commit(step: 12)
    }
    #expect(try Content(follower) == Content(table))
  }

  @Test(arguments: lives) func aSnapshotServesSharedRowsAsTheTableDoes(_ life: Life) throws {
    let database = try scratch.open()
    let table = try database.table("t", life.configuration)
    try life.kind.train(table, steps: 1...4)
    try database.commit(step: 4)
    for (name, options) in [
      ("x", SnapshotExportOptions()), ("y", SnapshotExportOptions(includesSlots: false)),
    ] {
      try table.exportSnapshot(scratch.file(name), options)
      let store = try SnapshotStore(scratch.file(name))
      #expect(try everything(store, life) == everything(table, life))
      #expect(store.configuration.difference(from: life.configuration) == nil)
    }
  }

  @Test func aTableOfAnotherLifeOrATrainedOneTakesTheRowsAlone() throws {
    let life = Self.lives[0]
    let database = try scratch.open()
    let table = try database.table("t", life.configuration)
    try life.kind.train(table, steps: 1...6)
    try database.commit(step: 6)
    try table.exportSnapshot(scratch.file("x"))
    let rows = try table.count
    var other = life.configuration
    other.sharedRows = 51
    for (name, configuration) in [("other", other), ("plain", life.kind.configuration())] {
      let target = try database.table(name, configuration)
      let summary = try target.importSnapshot(scratch.file("x"))
      #expect(!summary.includesLife && summary.notes.count == 1)
      #expect(try target.count == rows)
      #expect(target.identity != table.identity)
    }
    let trained = try database.table("trained", life.configuration)
    try trained.update(life.kind.column([9]), gradients: [1, 1, 1, 1, 1], step: 7)
    let summary = try trained.importSnapshot(scratch.file("x"))
    #expect(!summary.includesLife && summary.notes[0].contains("trained before"))
    #expect(try trained.count == rows)
    let vectors = try database.table("vectors", life.configuration)
    #expect(
      try !vectors.importSnapshot(scratch.file("x"), .init(vectorsOnly: true)).includesLife)
    // And the other way round.
    try database.commit(step: 7)
    try database.table("plain").exportSnapshot(scratch.file("plain"))
    #expect(try SnapshotReader(path: scratch.file("plain")).sections.isEmpty)
    let target = try database.table("target", life.configuration)
    let back = try target.importSnapshot(scratch.file("plain"))
    #expect(!back.includesLife && back.notes.count == 1)
    #expect(try target.count == rows)
    #expect(try database.verify().problems == [])
  }

  @Test func aDamagedSectionLeavesTheTableAsItWas() throws {
    let life = Self.lives[1]
    let database = try scratch.open()
    let table = try database.table("t", life.configuration)
    try life.kind.train(table, steps: 1...2, ids: 400)
    try database.commit(step: 2)
    try table.exportSnapshot(scratch.file("x"))
    let reader = try SnapshotReader(path: scratch.file("x"))
    #expect(reader.sections.map(\.name) == ["life", "admission", "shared"])
    let whole = try scratch.bytes("x")
    let target = try database.table("target", life.configuration)
    var random = SeededGenerator(seed: 4)
    let start = whole.count - Int(try reader.statistics().sectionBytes) - 500
    for _ in 0..<100 {
      var damaged = whole
      damaged[Int.random(in: start..<whole.count, using: &random)] ^= 16
      try damaged.write(to: URL(filePath: scratch.file("damaged")))
      #expect(throws: EmbeddingError.self) {
        try target.importSnapshot(scratch.file("damaged"))
      }
    }
    #expect(try target.count == 0)
    #expect(self.life(target) == LifeCounts())
    #expect(try target.importSnapshot(scratch.file("x")).includesLife)
    #expect(try everything(target, life) == everything(table, life))
  }
}
