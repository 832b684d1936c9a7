import Foundation
import LMDB
import TestSupport
import Testing

@testable import Embeddings

@Suite struct DeltaTests {
  let scratch = Scratch()

  @Test(arguments: [IDType.int64, .bytes], [1, 2, 3] as [UInt64])
  func baseAndDeltasMergeIntoTheFullSnapshotByteForByte(idType: IDType, seed: UInt64) throws {
    let kind = SnapshotKind(idType: idType, optimizer: .adagrad())
    var history = try DeltaHistory(scratch, kind, seed: seed)
    for _ in 1...7 { try history.commit() }
    for last in 2...history.commits {
      let deltas = (2...last).map { history.delta($0 - 1, $0) }
      try mergeSnapshots(history.full(1), deltas, into: scratch.file("merged"))
      #expect(
        try scratch.bytes("merged") == scratch.bytes("full\(last)"), "seed \(seed), to \(last)")
    }
    for first in 1..<history.commits {
      let path = history.delta(first, history.commits)
      try history.table.exportSnapshot(path, .init(since: .step(Int64(first))))
      try mergeSnapshots(history.full(first), [path], into: scratch.file("merged"))
      #expect(
        try scratch.bytes("merged") == scratch.bytes("full\(history.commits)"),
        "seed \(seed), from \(first)")
    }
    #expect(try history.database.verify().problems.isEmpty)
  }

  @Test(arguments: [IDType.int64, .bytes], [4, 5, 6] as [UInt64])
  func aTableFollowsAnotherByItsDeltas(idType: IDType, seed: UInt64) throws {
    let kind = SnapshotKind(idType: idType, optimizer: .adam())
    var history = try DeltaHistory(scratch, kind, seed: seed)
    try history.commit()
    let other = try scratch.open(named: "db2")
    let follower = try other.table("t", kind.configuration())
    try follower.importSnapshot(history.full(1))
    #expect(follower.identity == history.table.identity)
    for number in 2...6 {
      try history.commit()
      let expected = try Content(history.table)
      let summary = try follower.importSnapshot(history.delta(number - 1, number))
      try other.commit(step: summary.description.point.step)
      #expect(try Content(follower) == expected, "seed \(seed), delta \(number)")
      #expect(follower.identity == history.table.identity)
      #expect(try brokenInvariant(of: follower) == nil)
      // Again: nothing to do.
      #expect(try follower.importSnapshot(history.delta(number - 1, number)).wasApplied)
    }
    let verification = try other.verify()
    #expect(verification.problems.isEmpty)
    // What follows can be followed: both tables' deltas have the same rows.
    try follower.exportSnapshot(scratch.file("again"), .init(since: .snapshot(history.full(3))))
    try mergeSnapshots(history.full(3), [scratch.file("again")], into: scratch.file("merged"))
    #expect(try Content(SnapshotStore(scratch.file("merged"))) == Content(history.table))
  }

  @Test func deltasOfOneCommitAreEqualByteForByteAndInSlices() throws {
    let kind = SnapshotKind(idType: .bytes, optimizer: .adagrad())
    var history = try DeltaHistory(scratch, kind, seed: 9)
    for _ in 1...4 { try history.commit() }
    for (name, threads) in [("a", 1), ("b", 4)] {
      try history.table.exportSnapshot(
        scratch.file(name), .init(since: .step(1), threads: threads))
    }
    #expect(try scratch.bytes("a") == scratch.bytes("b"))
    let description = try inspectSnapshot(scratch.file("a"))
    for sliceRows in [1, 50] {
      let table = try CommittedTable(history.table)
      let base = try DeltaBase(.step(1), of: table, description)
      var export = DeltaExport(
        path: scratch.file("c"), description: description, threads: 2,
        generation: base.generation, progress: nil)
      export.sliceRows = sliceRows
      _ = try export.write(table)
      #expect(try scratch.bytes("a") == scratch.bytes("c"))
    }
    #expect(verifySnapshot(scratch.file("a")).isIntact)
  }

  @Test func aDeltaHoldsWhatChangedAndNothingElse() throws {
    let database = try scratch.open()
    let table = try database.table("t", plain)
    try table.set(0..<5_000, to: 1)
    try database.commit(step: 1)
    try table.set([7, 9], to: 2)
    // Moves a row from the end into the hole, without changing it.
    try table.delete([3, 5, -1])
    try database.commit(step: 2)
    try table.set([20_000], to: 3)
    try table.delete([20_000])
    try database.commit(step: 3)
    let summary = try table.exportSnapshot(scratch.file("d"), .init(since: .step(1)))
    #expect(summary.file.rowCount == 2 && summary.file.deletionCount == 2)
    let last = try table.exportSnapshot(scratch.file("e"), .init(since: .step(3)))
    #expect(last.file.rowCount == 0 && last.file.deletionCount == 0)
    // From the table's creation on: all of it.
    let all = try table.exportSnapshot(scratch.file("f"), .init(since: .step(0)))
    #expect(all.file.rowCount == 4_998)
  }

  @Test func aBaseThatTheTableNeverWasIsRefused() throws {
    let database = try scratch.open()
    let table = try database.table("t", plain)
    try table.set(0..<10, to: 1)
    try database.commit(step: 5)
    let ahead = thrownError { try table.exportSnapshot(scratch.file("d"), .init(since: .step(6))) }
    #expect(ahead?.code == .invalidArgument && ahead?.message.contains("at step 5") == true)
    // A copy that goes its own way.
    try database.backup(to: scratch.directory.path + "/db2")
    try table.set([3], to: 2)
    try database.commit(step: 6)
    let copy = try scratch.open(named: "db2")
    let other = try copy.table("t", plain)
    try other.set([3], to: 3)
    try copy.commit(step: 6)
    try other.exportSnapshot(scratch.file("other"))
    let error = thrownError {
      try table.exportSnapshot(scratch.file("d"), .init(since: .snapshot(scratch.file("other"))))
    }
    #expect(error?.code == .configurationMismatch)
    #expect(error?.message.contains(other.identity.description) == true)
    try table.exportSnapshot(scratch.file("half"), .init(encoding: .float16))
    let encoding = thrownError {
      try table.exportSnapshot(scratch.file("d"), .init(since: .snapshot(scratch.file("half"))))
    }
    #expect(encoding?.code == .configurationMismatch)
    #expect(!scratch.files.contains("d"))
  }

  @Test func deltasThatDoNotFollowAreRefused() throws {
    let kind = SnapshotKind(idType: .int64, optimizer: .adagrad())
    var history = try DeltaHistory(scratch, kind, seed: 12)
    for _ in 1...3 { try history.commit() }
    let other = try scratch.open(named: "db2")
    let follower = try other.table("t", kind.configuration())
    try follower.importSnapshot(history.full(1))
    let before = try Content(follower)
    func refused(_ path: String, _ options: SnapshotImportOptions = .init()) -> EmbeddingError? {
      thrownError { try follower.importSnapshot(path, options) }
    }
    let gap = refused(history.delta(2, 3))
    #expect(gap?.code == .configurationMismatch)
    #expect(gap?.message.contains(follower.identity.description) == true)
    #expect(gap?.message.contains("applies to") == true && gap?.message.contains("step 3") == true)
    #expect(refused(history.delta(1, 2), .init(existing: .keep))?.code == .invalidArgument)
    try history.table.exportSnapshot(
      scratch.file("lossy"), .init(encoding: .int8, since: .step(1)))
    #expect(refused(scratch.file("lossy"))?.code == .configurationMismatch)
    #expect(try Content(follower) == before)
    // Trained by itself since.
    try kind.train(follower, steps: 9...9)
    let trained = refused(history.delta(1, 2))
    #expect(trained?.code == .configurationMismatch)
    #expect(trained?.message.contains("a history of its own") == true)
    let memory = try MemoryEmbeddingStore(kind.configuration())
    let error = thrownError { try memory.importSnapshot(history.delta(1, 2)) }
    #expect(error?.code == .invalidArgument && error?.message.contains("merge") == true)
  }

  @Test func aDamagedDeltaChangesNothing() throws {
    let kind = SnapshotKind(idType: .bytes, optimizer: .sgd())
    var history = try DeltaHistory(scratch, kind, seed: 13)
    for _ in 1...2 { try history.commit() }
    let other = try scratch.open(named: "db2")
    let follower = try other.table("t", kind.configuration())
    try follower.importSnapshot(history.full(1))
    let (before, identity) = (try Content(follower), follower.identity)
    var bytes = try [UInt8](scratch.bytes("delta1-2"))
    for place in [bytes.count / 2, bytes.count - 100] {
      bytes[place] ^= 4
      try Data(bytes).write(to: URL(filePath: scratch.file("bad")))
      #expect(thrownError { try follower.importSnapshot(scratch.file("bad")) } != nil)
      bytes[place] ^= 4
    }
    #expect(try Content(follower) == before && follower.identity == identity)
    try follower.importSnapshot(history.delta(1, 2))
    #expect(try Content(follower) == Content(history.table))
  }
}
