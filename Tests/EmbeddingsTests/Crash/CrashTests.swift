import Embeddings
import Foundation
import Glibc
import Snapshots
import TestSupport
import Testing

@testable import Embeddings

/// Kills a training process again and again, and holds what is left against an oracle outside it.
///
/// 200 kills in an ordinary run; any number with `EMBEDDING_KILLS`, such as
///
///     EMBEDDING_KILLS=10000 swift test -c release --filter CrashTests
///
/// (`swift build --product CrashWorker -c release` first, should the worker be missing.)
@Suite(.serialized) struct CrashTests {
  let directory = TemporaryDirectory()
  private let kills = testSetting("EMBEDDING_KILLS", default: 200)
  private let seed = testSetting("EMBEDDING_SEED", default: Int.random(in: 0..<1_000_000))

  @Test func aKilledTrainerLosesNoCommittedStepAndShowsNoHalfOne() throws {
    print("crash test: EMBEDDING_SEED=\(seed) EMBEDDING_KILLS=\(kills)")
    var random = SeededGenerator(seed: UInt64(seed))
    var oracle = CrashOracle()
    var byItself = 0
    let path = directory.path + "/db"
    var last = CommitPoint()
    for kill in 0..<kills {
      let reported = runAndKill("train", path, &random)
      let database: EmbeddingDatabase
      do {
        database = try EmbeddingDatabase(at: path)
      } catch {
        Issue.record("kill \(kill): \(error)")
        return
      }
      let point = try database.lastCommit
      try #require(point.step >= max(reported, last.step), "kill \(kill)")
      if point.batches > 0 { byItself += 1 }
      oracle.advance(to: point)
      for (t, (name, configuration)) in CrashWorkload.tables.enumerated() {
        let table = try database.table(name, configuration)
        let difference = try oracle.tables[t].difference(from: table)
        try #require(difference == nil, "kill \(kill), \(point), table \(name)")
        try #require(try brokenInvariant(of: table) == nil, "kill \(kill), \(point)")
      }
      try database.close()
      last = point
    }
    print("crash test: \(kills) kills, \(byItself) left a commit within a step, at \(last)")
    #expect(last.step > 0)
  }

  @Test func aKilledImportLeavesTheTableAsItWas() throws {
    var random = SeededGenerator(seed: UInt64(seed) + 1)
    let path = directory.path + "/db"
    var last: Int64 = 0
    for kill in 0..<max(10, kills / 12) {
      let reported = runAndKill("import", path, &random, atMost: 150_000)
      let database = try EmbeddingDatabase(at: path)
      let table = try database.table("imported", CrashWorkload.importedTable)
      var numbers: Set<Float> = []
      try table.forEachBatch(ofAtMost: 4096, includingSlots: false) { (batch) in
        numbers.formUnion(batch.vectors)
        return true
      }
      try #require(numbers.count <= 1, "kill \(kill) left part of an import")
      let number = Int64(numbers.first ?? 0)
      try #require(number >= max(reported, last), "kill \(kill)")
      let count = number == 0 ? 0 : CrashWorkload.importedRows + Int(number)
      try #require(try table.count == count, "kill \(kill)")
      try #require(try brokenInvariant(of: table) == nil, "kill \(kill)")
      try database.close()
      last = number
    }
    print("crash test: killed imports, the last whole one is number \(last)")
  }

  @Test func aKilledImportOfADeltaLeavesTheStateBeforeOrAfterIt() throws {
    var random = SeededGenerator(seed: UInt64(seed) + 2)
    let path = directory.path + "/db"
    let states = try exportDeltas(beside: path, &random)
    var last: Int64 = -1
    for kill in 0..<max(12, kills / 12) {
      let reported = runAndKill("follow", path, &random, atMost: 60_000)
      let database = try EmbeddingDatabase(at: path)
      let table = try database.table("t", CrashWorkload.followingTable)
      let number = states.firstIndex { $0.identity == table.identity }
      // Killed before it had the first snapshot: an empty table has a state of its own.
      if let number {
        try #require(Int64(number) >= max(reported, last), "kill \(kill)")
        try #require(try Content(table) == states[number].content, "kill \(kill), delta \(number)")
      } else {
        try #require(try table.count == 0 && last < 0 && reported < 1, "kill \(kill)")
      }
      try #require(try database.verify().problems.isEmpty, "kill \(kill)")
      try database.close()
      last = number.map { Int64($0) } ?? -1
      if last == Int64(CrashWorkload.deltaCount) {
        for file in ["data.mdb", "lock.mdb", "writer.lock"] { unlink(path + "/" + file) }
        last = -1
      }
    }
  }

  /// Trains a table, and exports what `CrashWorkload.follow` takes in. Returns its states.
  private func exportDeltas(
    beside path: String, _ random: inout SeededGenerator
  ) throws -> [(identity: SnapshotIdentity, content: Content)] {
    let source = try EmbeddingDatabase(
      at: directory.path + "/source", options: .init(durability: .noSync))
    let table = try source.table("t", CrashWorkload.followingTable)
    var states: [(identity: SnapshotIdentity, content: Content)] = []
    for number in 0...CrashWorkload.deltaCount {
      for _ in 0..<(number == 0 ? 10 : 3) {
        let ids = (0..<1_000).map { _ in Int64.random(in: 0..<20_000, using: &random) }
        try table.update(
          IDColumn(ids), gradients: random.floats(8 * ids.count), step: Int64(number + 1))
      }
      try table.delete(
        IDColumn((0..<500).map { _ in Int64.random(in: 0..<20_000, using: &random) }).batch)
      try source.commit(step: Int64(number + 1))
      try table.exportSnapshot(
        CrashWorkload.snapshot(number, beside: path),
        .init(since: number == 0 ? nil : .step(Int64(number))))
      states.append((table.identity, try Content(table)))
    }
    try source.close()
    return states
  }

  @Test func aKilledEvictionOrCompactionLeavesAWholeCommit() throws {
    var random = SeededGenerator(seed: UInt64(seed) + 2)
    let path = directory.path + "/db"
    var last: Int64 = 0
    var evicted = 0
    for kill in 0..<max(10, kills / 8) {
      let reported = runAndKill("compact", path, &random, atMost: 60_000)
      let database = try EmbeddingDatabase(at: path)
      try #require(access(path + "/data.mdb.compacting", F_OK) != 0, "kill \(kill)")
      let step = try database.lastCommit.step
      try #require(step >= max(reported, last), "kill \(kill)")
      last = step
      guard step > 0 else {
        try database.close()
        continue
      }
      let table = try database.table("imported", CrashWorkload.importedTable)
      var numbers: Set<Float> = []
      try table.forEachBatch(ofAtMost: 4096, includingSlots: false) { (batch) in
        numbers.formUnion(batch.vectors)
        return true
      }
      try #require(numbers == [Float(step)], "kill \(kill)")
      let count = Int64(try table.count)
      let halves = [CrashWorkload.compactedRows, CrashWorkload.compactedRows / 2]
      try #require(halves.contains(count), "kill \(kill) left \(count) rows")
      if count == halves[1] { evicted += 1 }
      try #require(try database.verify().problems.isEmpty, "kill \(kill)")
      try database.close()
    }
    print("crash test: killed compactions, \(evicted) after the eviction, at step \(last)")
    #expect(last > 0)
  }

  @Test func aKilledExportLeavesAWholeSnapshotOrNoneUnderItsName() throws {
    var random = SeededGenerator(seed: UInt64(seed) + 2)
    let path = directory.path + "/db"
    let snapshot = path + ".embsnap"
    // Its rows are there before the first kill.
    _ = runAndKill("export", path, &random, waits: true)
    let whole = try #require(FileManager.default.contents(atPath: snapshot))
    var (missing, leftovers) = (0, 0)
    for kill in 0..<max(20, kills / 8) {
      // Half of the time there is nothing under the name when the export begins.
      if random.oneIn(2) { unlink(snapshot) }
      _ = runAndKill("export", path, &random, atMost: 40_000)
      if let found = FileManager.default.contents(atPath: snapshot) {
        try #require(found == whole, "kill \(kill) left part of a snapshot under its name")
      } else {
        missing += 1
      }
      // What it leaves is named as documented, and in nobody's way.
      let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
      for name in names where name != "db" && name != "db.embsnap" {
        try #require(
          name.wholeMatch(of: /\.db\.embsnap\.\d+-\d+\.tmp/) != nil, "kill \(kill) left \(name)")
        leftovers += 1
        unlink(directory.path + "/" + name)
      }
    }
    #expect(verifySnapshot(snapshot).isIntact || missing > 0)
    print("crash test: killed exports left \(leftovers) temporary files, \(missing) times no file")
    #expect(leftovers > 0)
  }

  /// Starts the worker, kills it at a random moment, and returns the last commit it reported.
  private func runAndKill(
    _ what: String, _ path: String, _ random: inout SeededGenerator, atMost most: UInt32 = 20_000,
    waits: Bool = false
  ) -> Int64 {
    let child = ChildProcess("CrashWorker", [what, path, random.oneIn(2) ? "full" : "noSync"])
    var reported: Int64 = 0
    // Mostly while it commits; now and then while it opens the database.
    if waits || !random.oneIn(6) { reported = child.nextReport() ?? 0 }
    usleep(UInt32.random(in: 0...most, using: &random))
    child.kill()
    while let next = child.nextReport() { reported = next }
    let signal = child.wait()
    #expect(signal == SIGKILL, "the worker ended by itself")
    return reported
  }
}
