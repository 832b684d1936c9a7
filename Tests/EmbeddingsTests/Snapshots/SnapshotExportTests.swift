import Foundation
import TestSupport
import Testing

@testable import Embeddings

@Suite struct SnapshotExportTests {
  let scratch = Scratch()

  @Test(arguments: SnapshotKind.all)
  func theSnapshotHoldsTheLastCommitInIDOrder(kind: SnapshotKind) throws {
    let database = try scratch.open(budget: 4 << 20)
    let table = try database.table("t", kind.configuration())
    try kind.train(table, steps: 1...12)
    try database.commit(step: 12)
    let committed = try Content(table)
    // Not committed, and so not exported.
    try kind.train(table, steps: 13...13)
    var told = 0
    let summary = try table.exportSnapshot(scratch.file("a.embsnap")) { told = $0.rows }
    #expect(summary.file.rowCount == UInt64(committed.rows.count))
    #expect(told == committed.rows.count)
    #expect(summary.description.point == CommitPoint(step: 12))
    #expect(verifySnapshot(scratch.file("a.embsnap")).isIntact)
    let store = try SnapshotStore(scratch.file("a.embsnap"))
    #expect(try Content(store) == committed)
    #expect(store.configuration.difference(from: table.configuration) == nil)
    #expect(try inspectSnapshot(scratch.file("a.embsnap")) == summary.description)
    if kind.idType == .int64 {
      let ids = try Content(store).order.compactMap { id -> Int64? in
        if case .int64(let value) = id { value } else { nil }
      }
      #expect(ids == ids.sorted())
    }
  }

  @Test func exportsOfOneCommitAreEqualByteForByte() throws {
    let kind = SnapshotKind(idType: .bytes, optimizer: .adagrad())
    let database = try scratch.open()
    let table = try database.table("t", kind.configuration(64))
    try kind.train(table, steps: 1...20, ids: 9000)
    try database.commit(step: 20)
    for (name, threads) in [("a", 1), ("b", 4)] {
      try table.exportSnapshot(scratch.file(name), SnapshotExportOptions(threads: threads))
    }
    #expect(try scratch.bytes("a") == scratch.bytes("b"))
    // A copy of the database holds the same state; another run of the same length does not.
    try database.backup(to: scratch.file("db-copy"))
    let copy = try EmbeddingDatabase(at: scratch.file("db-copy"), options: .readOnly)
    try copy.table("t").exportSnapshot(scratch.file("c"))
    #expect(try scratch.bytes("a") == scratch.bytes("c"))
    let other = try scratch.open(named: "db-other")
    let twin = try other.table("t", kind.configuration(64))
    try kind.train(twin, steps: 2...21, ids: 9000)
    try other.commit(step: 20)
    let identity = try inspectSnapshot(scratch.file("a")).identity
    #expect(try twin.exportSnapshot(scratch.file("d")).description.identity != identity)
    // The identity is of the state: encodings do not change it, the next commit does.
    let half = SnapshotExportOptions(encoding: .float16, includesSlots: false)
    #expect(try table.exportSnapshot(scratch.file("e"), half).description.identity == identity)
    try kind.train(table, steps: 21...21)
    try database.commit(step: 21)
    #expect(try table.exportSnapshot(scratch.file("f")).description.identity != identity)
  }

  @Test(arguments: ValueEncoding.allCases)
  func encodingsLoseAsMuchPrecisionAsTheySay(encoding: ValueEncoding) throws {
    let kind = SnapshotKind(idType: .int64, optimizer: .adagrad())
    let database = try scratch.open()
    let table = try database.table("t", kind.configuration(32))
    try kind.train(table, steps: 1...5)
    try database.commit(step: 5)
    let full = try table.exportSnapshot(scratch.file("full")).file.byteCount
    let small = try table.exportSnapshot(
      scratch.file("x"), SnapshotExportOptions(encoding: encoding, includesSlots: false))
    #expect(small.file.byteCount < full)
    let served = try Content(try SnapshotStore(scratch.file("x")), includingSlots: false)
    let stored = try Content(table, includingSlots: false)
    #expect(served.rows.count == stored.rows.count)
    let tolerance: Float =
      switch encoding {
      case .float32: 0
      case .float16: 1 / 2048
      case .bfloat16: 1 / 256
      case .int8: 1 / 127
      }
    for (id, row) in stored.rows {
      let read = try #require(served.rows[id])
      #expect(read.frequency == row.frequency && read.lastStep == row.lastStep)
      let vector = row.vector.map { Float(bitPattern: $0) }
      let largest = vector.map(\.magnitude).max() ?? 0
      for (a, b) in zip(vector, read.vector) {
        #expect((a - Float(bitPattern: b)).magnitude <= tolerance * largest)
      }
    }
  }

  @Test func anEmptyTableIsASnapshotToo() throws {
    let database = try scratch.open()
    let table = try database.table("t", plain)
    #expect(try table.exportSnapshot(scratch.file("a")).file.rowCount == 0)
    let store = try SnapshotStore(scratch.file("a"))
    #expect(try store.count == 0)
    #expect(try store.lookup([7]) == [[0, 0, 0, 0]])
    let summary = try table.importSnapshot(scratch.file("a"))
    #expect(summary.rows == ImportSummary())
  }

  @Test func everyFailingFileCallLeavesNothingUnderTheName() throws {
    let kind = SnapshotKind(idType: .bytes, optimizer: .sgd())
    let database = try scratch.open()
    let table = try database.table("t", kind.configuration())
    try kind.train(table, steps: 1...3)
    try database.commit(step: 3)
    let plan = FaultPlan()
    try FileFaults.run(plan) { _ = try table.exportSnapshot(scratch.file("whole")) }
    #expect(plan.calls > 3)
    for call in 0..<plan.calls {
      let error = thrownError {
        try FileFaults.run(FaultPlan(failingCall: call)) {
          _ = try table.exportSnapshot(scratch.file("x"))
        }
      }
      // The last call syncs the folder: the file has its name by then, and is whole.
      if error != nil, scratch.files.contains("x") {
        #expect(try scratch.bytes("x") == scratch.bytes("whole"))
        try FileManager.default.removeItem(atPath: scratch.file("x"))
      }
      if error == nil { try FileManager.default.removeItem(atPath: scratch.file("x")) }
      #expect(scratch.files == ["whole"])
    }
  }

  @Test func aFlippedBitStopsTheExport() throws {
    let kind = SnapshotKind(idType: .int64, optimizer: .adagrad())
    var database = try scratch.open()
    var table = try database.table("t", kind.configuration(16))
    try kind.train(table, steps: 1...3)
    try database.commit(step: 3)
    let vector = try table.lookup(kind.column([0]))
    try database.close()
    let url = URL(filePath: scratch.path + "/data.mdb")
    var bytes = try Data(contentsOf: url)
    let wanted = vector.prefix(3).flatMap { withUnsafeBytes(of: $0.bitPattern, Array.init) }
    var from = bytes.startIndex
    // In pages that are free now as well.
    while let place = bytes.range(of: Data(wanted), in: from..<bytes.endIndex) {
      bytes[place.lowerBound] ^= 4
      from = place.upperBound
    }
    try bytes.write(to: url)
    database = try scratch.open()
    table = try database.table("t")
    #expect(thrownError { try table.exportSnapshot(scratch.file("x")) }?.code == .corruption)
    #expect(scratch.files == [])
  }
}
