import LMDB
import StorageBase
import TestSupport
import Testing

@testable import Embeddings

/// A table whose stored filter is damaged.
@Suite struct DamagedFilterTests {
  let scratch = Scratch()

  static let filters: [Admission] = [
    .countingBloomFilter(threshold: 3, expectedIDs: 2000), .counter(threshold: 3),
  ]

  private func configuration(_ admission: Admission) -> TableConfiguration {
    var configuration = TableConfiguration(
      dimension: 2, idType: .int64, optimizer: .sgd(learningRate: 1))
    configuration.admission = admission
    return configuration
  }

  private func see(_ table: EmbeddingTable, _ ids: Range<Int64>, step: Int64) throws {
    try table.update(
      IDColumn(Array(ids)), gradients: [Float](repeating: 1, count: 2 * ids.count), step: step)
  }

  /// Trains in commits of several sizes, so that there are partitions and journal records.
  private func train(_ table: EmbeddingTable) throws {
    for step in Int64(1)...12 {
      try see(table, step < 4 ? 0..<1500 : 10_000 + step * 10..<10_000 + step * 10 + 10, step: step)
      try table.database.commit(step: step)
    }
  }

  /// The stored values of the filter.
  private func values(_ table: EmbeddingTable) throws -> [(key: UInt64, value: [UInt8])] {
    try table.database.environment.read { (transaction) throws(EmbeddingError) in
      try transaction.withCursor(table.storage.state) { (cursor) throws(EmbeddingError) in
        var values: [(key: UInt64, value: [UInt8])] = []
        var entry = try cursor.seek(atOrAfter: FilterFormat.partitionKeys.lowerBound)
        while let (key, value) = entry, key <= FilterFormat.lastJournalKey {
          values.append((key, Array(value)))
          entry = try cursor.next()
        }
        return values
      }
    }
  }

  private func put(_ key: UInt64, _ value: [UInt8], _ table: EmbeddingTable) throws {
    try table.database.environment.write { (transaction) throws(EmbeddingError) in
      try value.withBytes { (bytes) throws(EmbeddingError) in
        try transaction.put(key, bytes, in: table.storage.state)
      }
    }
  }

  @Test(arguments: filters) func verifyFindsWhatIsDamaged(_ admission: Admission) throws {
    let database = try scratch.open()
    let table = try database.table("t", configuration(admission))
    try train(table)
    #expect(try database.verify().problems == [])
    let values = try values(table)
    #expect(values.contains { $0.key > FilterFormat.recordKey })
    #expect(values.contains { $0.key < FilterFormat.recordKey })
    var random = SeededGenerator(seed: 2)
    for (key, value) in values.shuffled(using: &random).prefix(40) {
      var damaged = value
      damaged[Int.random(in: 0..<value.count, using: &random)] ^= 1
      try put(key, damaged, table)
      let report = try database.verify()
      #expect(report.counts[.filter] == 1 && report.problemCount == 1, "\(report.problems)")
      try put(key, value, table)
    }
    #expect(try database.verify().isIntact)
    let plain = try database.table("plain", TableConfiguration(dimension: 2))
    try put(values[0].key, values[0].value, plain)
    #expect(try database.verify().counts == [.filter: 1])
  }

  @Test(arguments: filters)
  func aDamagedFilterLeavesRowsReadableAndCanBeEmptied(_ admission: Admission) throws {
    var database = try scratch.open()
    var table = try database.table("t", configuration(admission))
    try train(table)
    let count = try table.count
    let ids = IDColumn(Array(Int64(0)..<2000))
    let vectors = try table.lookup(ids)
    let (key, value) = try #require(try values(table).first)
    try put(key, Array(value.dropLast()) + [value[value.count - 1] ^ 255], table)
    try database.close()

    database = try scratch.open()
    table = try database.table("t")
    #expect(try table.lookup(ids) == vectors)
    #expect(try table.lookup(ids, mode: .training) == vectors)
    let error = #expect(throws: EmbeddingError.self) { try see(table, 5000..<5001, step: 13) }
    #expect(error?.code == .corruption && error?.message.contains("reset-filter") == true)
    try table.resetAdmissionFilter()
    #expect(try database.verify().isIntact)
    #expect(try table.lookup(ids) == vectors)
    for step in Int64(13)...14 { try see(table, 5000..<5001, step: step) }
    #expect(try table.count == count)
    try see(table, 5000..<5001, step: 15)
    #expect(try table.count == count + 1)
    try database.commit(step: 15)
    #expect(try database.verify().isIntact)
  }

  @Test func aFilterThatIsDamagedWhileItIsInUseCanBeEmptied() throws {
    let database = try scratch.open()
    let table = try database.table("t", configuration(.counter(threshold: 3)))
    try train(table)
    for (key, value) in try values(table) where key != FilterFormat.recordKey {
      try put(key, value.map { ~$0 }, table)
    }
    try see(table, 7000..<9000, step: 13)
    #expect(throws: EmbeddingError.self) { try database.commit(step: 13) }
    try table.resetAdmissionFilter()
    try see(table, 0..<5, step: 14)
    try database.commit(step: 14)
    #expect(try table.metadata(of: .int64(1)).lastStep == 14)
    #expect(try database.verify().isIntact)
  }

  @Test func aTableWithoutAFilterHasNoneToReset() throws {
    let table = try scratch.open().table("t", TableConfiguration(dimension: 2))
    #expect(throws: EmbeddingError.self) { try table.resetAdmissionFilter() }
  }
}
