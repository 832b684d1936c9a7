import LMDB
import StorageBase
import Synchronization
import TestSupport
import Testing

@testable import Embeddings

extension EmbeddingTable {
  /// Removes the rows that `choose` puts into the set; it may be called twice.
  func removeRows<R>(
    limits: RowRemoval.Limits = RowRemoval.Limits(),
    choose: (
      borrowing WriteTransaction, inout TableRecord, inout RowSet
    ) throws(EmbeddingError) -> R
  ) throws(EmbeddingError) -> R {
    try database.alone { () throws(EmbeddingError) in
      try database.commitAlone(as: database.state.withLock { $0.live })
      let ((result, numbers), record) = try database.writeTable(core) {
        (transaction, before, stamp) throws(EmbeddingError) in
        var record = before
        var rows = RowSet(rowCount: record.rowCount)
        let result = try choose(transaction, &record, &rows)
        let removal = RowRemoval(rows, from: storage, limits: limits)
        var recorder = ChangeRecorder(storage, before, stamp)
        try removal.run(&record, &recorder, in: transaction)
        try recorder.finish(&record, in: transaction)
        return ((result, removal.numbers), record)
      }
      core.takeOver(record, numbers)
      return result
    }
  }
}

/// Removal of many rows at once, under limits so small that every path is taken.
@Suite struct RowRemovalTests {
  let scratch = Scratch()

  static let limits: [RowRemoval.Limits] = [
    RowRemoval.Limits(),
    RowRemoval.Limits(idCount: 0),
    RowRemoval.Limits(idCount: 0, bytesAhead: 1),
    RowRemoval.Limits(idCount: 50, bytesAhead: 20_000),
  ]

  private func id(_ number: Int, _ type: IDType) -> EmbeddingID {
    type == .int64 ? .int64(Int64(bitPattern: mix64(UInt64(number)))) : EmbeddingID("id \(number)")
  }

  /// Trains some of the ids, the live state of which is not committed.
  private func train(
    _ table: EmbeddingTable, _ reference: inout ReferenceTable, ids: Range<Int>, step: Int64,
    _ random: inout SeededGenerator
  ) throws {
    let type = table.configuration.idType
    let ids = ids.filter { _ in !random.oneIn(3) }.map { id($0, type) }
    let gradients = random.floats(ids.count * table.configuration.dimension)
    try table.update(IDColumn(ids, type: type), gradients: gradients, step: step)
    reference.update(ids, gradients: gradients, step: step)
  }

  /// The ids of all rows, in row order.
  private func ids(_ table: EmbeddingTable) throws -> [EmbeddingID] {
    var ids: [EmbeddingID] = []
    try table.forEachBatch(ofAtMost: 100, includingSlots: false) { (batch) in
      for i in 0..<batch.count { ids.append(batch.ids[i]) }
      return true
    }
    return ids
  }

  @Test(arguments: [IDType.int64, .bytes], limits.indices)
  func whatIsLeftIsWhatTheReferenceHas(type: IDType, number: Int) throws {
    var random = SeededGenerator(seed: 5 + UInt64(number))
    let database = try scratch.open()
    let table = try database.table(
      "t", TableConfiguration(dimension: 30, idType: type, seed: 3, optimizer: .adagrad()))
    var reference = ReferenceTable(table.configuration)
    // Which rows go, of so many.
    let choices: [(UInt64, UInt64, inout SeededGenerator) -> Bool] = [
      { _, _, random in random.oneIn(20) }, { _, _, random in !random.oneIn(9) },
      { row, count, _ in row >= count / 2 }, { row, count, _ in row < count / 3 },
      { row, _, _ in row % 2 == 0 }, { row, _, _ in row == 7 }, { _, _, _ in false },
      { row, count, _ in row == count - 1 }, { _, _, _ in true },
    ]
    for (round, choice) in choices.enumerated() {
      let first = round * 100
      try train(table, &reference, ids: first..<first + 900, step: Int64(round), &random)
      if round % 2 == 0 { try database.commit(step: Int64(round)) }
      var removed: [UInt64] = []
      let summary = try table.removeRows(limits: Self.limits[number]) {
        (_, record, rows) throws(EmbeddingError) in
        removed = []
        for row in (0..<record.rowCount).reversed() where choice(row, record.rowCount, &random) {
          rows.insert(row)
          removed.append(row)
        }
        return record.rowCount
      }
      #expect(try table.count == Int(summary) - removed.count)
      let left = Set(try ids(table))
      reference.rows = reference.rows.filter { left.contains($0.key) }
      #expect(reference.rows.count == left.count)
      #expect(try reference.difference(from: table) == nil)
      #expect(try brokenInvariant(of: table) == nil)
      // Cached rows are where they are now: training goes on with them.
      try train(table, &reference, ids: first..<first + 1_000, step: Int64(round), &random)
      try database.commit()
      #expect(try reference.difference(from: table) == nil, "round \(round)")
      #expect(try brokenInvariant(of: table) == nil)
    }
    try database.close()
    let reopened = try scratch.open()
    #expect(try reference.difference(from: try reopened.table("t")) == nil)
    let report = try reopened.verify()
    #expect(report.problems.isEmpty, "\(report)")
  }

  @Test func everyRowOutsideTheSetIsLeft() throws {
    let database = try scratch.open()
    let table = try database.table("t", plain)
    try table.set(0..<1_000, to: 1)
    try database.commit(step: 1)
    let before = try ids(table)
    var random = SeededGenerator(seed: 9)
    let removed = Set((0..<1_000).filter { _ in random.oneIn(4) })
    try table.removeRows { (_, _, rows) throws(EmbeddingError) in
      for row in removed { rows.insert(UInt64(row)) }
    }
    let expected = Set(before.indices.filter { !removed.contains($0) }.map { before[$0] })
    #expect(Set(try ids(table)) == expected)
    let verification = try database.verify()
    #expect(verification.problems.isEmpty)
  }

  @Test func removedIDsAreKeptInTheOrderOfTheTree() throws {
    let database = try scratch.open()
    let table = try database.table("t", TableConfiguration(dimension: 3))
    let ids = (0..<300).map { EmbeddingID("\($0)") }
    try table.assign(
      IDColumn(ids, type: .bytes), vectors: [Float](repeating: 0, count: 900), step: 0)
    try database.commit(step: 1)
    for idCount in [0, 1_000] {
      var told: [(UInt64, String)] = []
      _ = try? database.environment.write { (transaction) throws(EmbeddingError) in
        var record = table.core.state.withLock { $0.record }
        var rows = RowSet(rowCount: record.rowCount)
        for row in 100..<UInt64(200) { rows.insert(row) }
        var recorder = ChangeRecorder(
          table.storage, record, CommitStamp(generation: 9, point: CommitPoint(step: 2)))
        try RowRemoval(rows, from: table.storage, limits: .init(idCount: idCount)).run(
          &record, &recorder, in: transaction)
        try recorder.finish(&record, in: transaction)
        try Tombstones(storage: table.storage).forEach(after: 8, in: transaction) {
          (id, _) throws(EmbeddingError) in
          told.append((id.treeKey, String(decoding: id.bytes, as: UTF8.self)))
        }
        #expect(record.rowCount == 200)
        throw EmbeddingError(.cancelled, "undone")
      }
      #expect(told.count == 100 && told.map(\.0) == told.map(\.0).sorted())
      #expect(told.allSatisfy { key, text in Array(text.utf8).withUnsafeBytes { xxh3($0) } == key })
    }
    #expect(try table.count == 300)
  }

  @Test func aDamagedBlockStopsTheRemovalAndNothingIsChanged() throws {
    let database = try scratch.open()
    let table = try database.table("t", plain)
    try table.set(0..<2_000, to: 1)
    try database.commit(step: 1)
    let block = table.storage.layout.blockCount(rows: 2_000) / 2
    try database.environment.write { (transaction) throws(EmbeddingError) in
      var bytes = Array(try table.storage.block(block, in: transaction).bytes)
      bytes[3_000] ^= 1
      try bytes.withBytes { (bytes) throws(EmbeddingError) in
        try transaction.put(block, bytes, in: table.storage.blocks)
      }
    }
    let row = block * UInt64(table.storage.layout.rowsPerBlock)
    for idCount in [0, 1_000_000] {
      let thrown = code { () throws(EmbeddingError) in
        try table.removeRows(limits: .init(idCount: idCount)) {
          (_, _, rows) throws(EmbeddingError) in
          _ = rows.insert(row)
        }
      }
      #expect(thrown == .corruption)
    }
    #expect(try table.count == 2_000)
  }
}
