import LMDB
import StorageBase
import Synchronization
import TestSupport
import Testing

@testable import Embeddings

@Suite struct TableHistoryTests {
  let scratch = Scratch()

  @Test func equalHistoriesHaveEqualIdentitiesWhateverElseIsCommitted() throws {
    func run(_ name: String, _ body: (EmbeddingDatabase, EmbeddingTable) throws -> Void) throws
      -> SnapshotIdentity
    {
      let database = try scratch.open(named: name)
      let table = try database.table("t", plain)
      try table.set(0..<100, to: 1)
      try database.commit(step: 1)
      try body(database, table)
      try table.delete([4])
      try database.commit(step: 2)
      #expect(try database.verify().isIntact)
      return table.identity
    }
    let plainly = try run("db1") { _, _ in }
    let besideOthers = try run("db2") { database, _ in
      let other = try database.table("u", plain)
      try other.set(0..<10, to: 1)
      try database.commit(step: 1)
    }
    let further = try run("db3") { database, table in
      try table.set([50], to: 2)
      try database.commit(step: 1)
    }
    let otherRate = try run("db4") { database, _ in
      try database.setOptimizer(.sgd(learningRate: 0.5), of: "t")
    }
    #expect(plainly == besideOthers)
    #expect(Set([plainly, further, otherRate]).count == 3)
  }

  @Test func copiesDifferFromWhereTheyPart() throws {
    let database = try scratch.open()
    let table = try database.table("t", plain)
    try table.set(0..<100, to: 1)
    try database.commit(step: 1)
    try database.backup(to: scratch.directory.path + "/db2")
    let copy = try scratch.open(named: "db2").table("t", plain)
    #expect(copy.identity == table.identity)
    try table.set([1], to: 2)
    try copy.set([1], to: 3)
    try database.commit(step: 2)
    try copy.database.commit(step: 2)
    #expect(copy.identity != table.identity)
    // And do not come together again.
    try table.set([1], to: 4)
    try copy.set([1], to: 4)
    try database.commit(step: 3)
    try copy.database.commit(step: 3)
    #expect(copy.identity != table.identity)
  }

  @Test func commitsOfOtherTablesLeaveTheIdentityAsItIs() throws {
    let database = try scratch.open()
    let (table, other) = (try database.table("t", plain), try database.table("u", plain))
    try table.set([1], to: 1)
    try database.commit(step: 1)
    let identity = table.identity
    try table.exportSnapshot(scratch.file("full"))
    try other.set([1], to: 1)
    try database.commit(step: 2)
    #expect(table.identity == identity)
    try table.exportSnapshot(scratch.file("later"))
    try table.exportSnapshot(scratch.file("delta"), .init(since: .step(1)))
    try mergeSnapshots(scratch.file("full"), [scratch.file("delta")], into: scratch.file("merged"))
    #expect(try scratch.bytes("merged") == scratch.bytes("later"))
  }

  @Test func indexNamesExactlyTheBlocksThatChanged() throws {
    let database = try scratch.open()
    let table = try database.table("t", TableConfiguration(dimension: 1000, idType: .int64))
    // More blocks than a page of the index has.
    let rows = table.storage.layout.rowsPerBlock * 600
    let (first, middle, last) = (0, rows / 2, rows - 1)
    func set(_ ids: [Int]) throws {
      for start in stride(from: 0, to: ids.count, by: 200) {
        try table.set(ids[start..<min(start + 200, ids.count)].map { Int64($0) }, to: 1)
      }
    }
    try set(Array(0..<rows))
    try database.commit(step: 1)
    let generation = database.state.withLock { $0.record.generation }
    let numbers = try database.read { (view) throws(EmbeddingError) in
      try [first, middle, last].map { (id) throws(EmbeddingError) in
        try table.storage.row(of: RowKey(int64: Int64(id)), in: view.transaction) ?? 0
      }
    }
    try set([first, middle, last])
    try database.commit(step: 2)
    func changed(after generation: UInt64) throws -> [UInt64] {
      try database.read { (view) throws(EmbeddingError) in
        var blocks: [UInt64] = []
        try ChangeIndex(storage: table.storage).forEachBlock(
          changedAfter: generation, in: view.transaction
        ) { blocks.append($0) }
        return blocks
      }
    }
    let expected = Set(numbers.map { table.storage.layout.place(ofRow: $0).block })
    #expect(try changed(after: generation) == expected.sorted())
    #expect(try changed(after: generation + 1) == [])
    #expect(try changed(after: 0).count == 600)
    // A table that shrinks takes its pages along.
    for start in stride(from: 0, to: rows, by: 200) {
      try table.delete((start..<min(start + 200, rows)).map { Int64($0) }.filter { $0 > 3 })
    }
    try database.commit(step: 3)
    #expect(try changed(after: 0).count < 5)
    #expect(try database.verify().problems.isEmpty)
  }

  @Test func historyOfTooManyDeletionsIsForgotten() throws {
    let database = try scratch.open()
    let table = try database.table("t", plain)
    try table.set(0..<10, to: 1)
    try database.commit(step: 1)
    try change(table, step: 2) { (recorder, transaction) throws(EmbeddingError) in
      for key in 0..<UInt64(600_000) {
        try recorder.noteDeleted(treeKey: key, in: transaction)
      }
    }
    #expect(try table.exportSnapshot(scratch.file("d"), .init(since: .step(1))).file.rowCount == 0)
    try change(table, step: 3) { (recorder, transaction) throws(EmbeddingError) in
      for key in 0..<UInt64(600_000) {
        try recorder.noteDeleted(treeKey: key, in: transaction)
      }
    }
    let error = thrownError {
      try table.exportSnapshot(scratch.file("d"), .init(since: .step(1)))
    }
    #expect(error?.code == .notFound && error?.message.contains("from step 2 on") == true)
    #expect(
      try table.exportSnapshot(scratch.file("d"), .init(since: .step(2))).file.deletionCount > 0)
    // More than can be kept in one commit: none of them are.
    try change(table, step: 4) { (recorder, transaction) throws(EmbeddingError) in
      for key in 0..<UInt64(1_000_001) {
        try recorder.noteDeleted(treeKey: key, in: transaction)
      }
    }
    let history = table.core.state.withLock { $0.record.history }
    #expect(history.floor == history.generation && history.deletions == 0)
    #expect(history.commits == 1)
    #expect(try database.verify().problems.isEmpty)
  }

  @Test func logKeepsTheNewestCommits() throws {
    let database = try scratch.open()
    let table = try database.table("t", plain)
    try table.set(0..<10, to: 1)
    try database.commit(step: 1)
    let maximum = Int(TableHistory.maximumCommits)
    let core = table.core
    let (_, record) = try database.writeTable(core) {
      (transaction, before, stamp) throws(EmbeddingError) -> (Void, TableRecord) in
      // As many commits as if each had been made.
      var record = before
      var stamp = stamp
      for step in 2...maximum + 5 {
        stamp.point = CommitPoint(step: Int64(step))
        var recorder = ChangeRecorder(core.storage, record, stamp)
        try recorder.finish(&record, in: transaction)
        stamp.generation += 1
      }
      return ((), record)
    }
    #expect(record.history.commits == UInt64(maximum))
    let oldest = try database.read { (view) throws(EmbeddingError) in
      try CommitLog(storage: core.storage).first(in: view.transaction)
    }
    #expect(oldest?.generation == record.history.floor && oldest?.point.step == 6)
  }

  /// A commit that changes the table as `body` says.
  private func change(
    _ table: EmbeddingTable, step: Int64,
    _ body: (
      inout ChangeRecorder, borrowing WriteTransaction
    ) throws(EmbeddingError) -> Void
  ) throws {
    let core = table.core
    try table.database.commit(step: step)
    let (_, record) = try table.database.writeTable(core) {
      (transaction, before, stamp) throws(EmbeddingError) -> (Void, TableRecord) in
      var record = before
      var recorder = ChangeRecorder(core.storage, record, stamp)
      try body(&recorder, transaction)
      try recorder.finish(&record, in: transaction)
      return ((), record)
    }
    core.takeOver(record)
  }
}
