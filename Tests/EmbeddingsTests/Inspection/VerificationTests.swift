import LMDB
import TestSupport
import Testing

@testable import Embeddings

@Suite struct VerificationTests {
  let directory = TemporaryDirectory()
  let database: EmbeddingDatabase
  let words: EmbeddingTable
  let numbers: EmbeddingTable

  init() throws {
    database = try openDatabase(directory.path)
    words = try database.plainTable("words", 2, .bytes)
    numbers = try database.table(
      "numbers", TableConfiguration(dimension: 3, idType: .int64, optimizer: .adam()))
    try words.assign((0..<500).map { "w\($0)" }, vectors: (0..<500).map { [Float($0), 1] })
    try numbers.assign((-200..<200).map { $0 }, vectors: (-200..<200).map { [Float($0), 0, 1] })
    try words.addFrequency(IDColumn(["w7", "w7", "w9"]).batch)
    try database.commit(step: 1)
    try words.delete(["w0", "w499", "w17"])
    try database.commit(step: 2)
  }

  @Test func soundDatabaseIsIntactAndWalkedWhole() throws {
    var progress: [VerificationProgress] = []
    let report = try database.verify { progress.append($0) }
    #expect(report.isIntact, "\(report.problems)")
    #expect(report.tables == 2 && report.rows == 897 && report.nonFiniteRows == 0)
    #expect(report.blocks == 5 + 11 || report.blocks > 2)
    #expect(progress.map(\.table) == ["numbers", "words"])
    #expect(progress.allSatisfy { $0.rows == $0.totalRows })
    // What is not committed is none of its business.
    try words.assign(["new"], vectors: [[1, 2]])
    #expect(try database.verify().rows == 897)
  }

  @Test func readerInTheSameFileVerifiesToo() throws {
    try database.close()
    let reader = try EmbeddingDatabase(at: directory.path, options: .readOnly)
    #expect(try reader.verify().isIntact)
  }

  @Test func allDamageIsReportedNotOnlyTheFirst() throws {
    let storage = words.storage
    let blocks = storage.layout.blockCount(rows: 497)
    try damageBlock(0, of: words)
    try damageBlock(0, of: numbers)
    try database.environment.write { (transaction) throws(EmbeddingError) in
      // A block beyond the end, an id that leads nowhere, an id under another hash, an id too few,
      // a tree of nobody, a record of nobody, frequencies that do not add up.
      try transaction.copy(0, to: blocks + 5, in: storage.blocks)
      try transaction.set(
        IDEntries.encode("stray", row: 1 << 40), for: hash("stray"), in: storage.ids)
      try transaction.set(IDEntries.encode("moved", row: 3), for: 77, in: storage.ids)
      _ = try transaction.delete(hash("w100"), in: storage.ids)
      _ = try transaction.namedDatabase("ids.99", integerKeys: true, create: true)
      try EmbeddingDatabase.put([1, 2, 3], under: "odd", in: database.meta, transaction)
      guard var record = try database.tableRecord("numbers", in: transaction) else { return }
      record.totalFrequency += 1
      try EmbeddingDatabase.put(
        record.encode(), under: "table:numbers", in: database.meta, transaction)
    }
    let report = try database.verify()
    #expect(!report.isIntact && report.problemCount == report.problems.count)
    func problems(_ kind: VerificationReport.Problem.Kind, _ table: String?) -> [String] {
      report.problems.filter { $0.kind == kind && $0.table == table }.map(\.message)
    }
    #expect(problems(.block, "words").count == 1 && problems(.block, "numbers").count == 1)
    #expect(problems(.strayBlock, "words").count == 1)
    #expect(problems(.strayID, "words").count == 2)
    #expect(problems(.missingID, "words").count == 1)
    #expect(problems(.count, "words").count == 1)
    #expect(problems(.orphanTree, nil) == ["tree ids.99 belongs to no table"])
    #expect(problems(.record, nil).count == 1)
    // Where a block is damaged, the sum of its frequencies says nothing more.
    #expect(problems(.count, "numbers").isEmpty)
  }

  @Test func frequenciesThatDoNotAddUpAreReported() throws {
    try database.environment.write { (transaction) throws(EmbeddingError) in
      guard var record = try database.tableRecord("words", in: transaction) else { return }
      record.totalFrequency += 1
      try EmbeddingDatabase.put(
        record.encode(), under: "table:words", in: database.meta, transaction)
    }
    let report = try database.verify()
    #expect(report.counts == [.count: 1])
    #expect(report.problems[0].message.contains("instead of 4"))
  }

  @Test func recordUnderAnotherTablesNameIsReported() throws {
    try database.environment.write { (transaction) throws(EmbeddingError) in
      let stored = try EmbeddingDatabase.get("table:words", from: database.meta, transaction)
      let copy = Array(stored!)
      try copy.withBytes { (copy) throws(EmbeddingError) in
        try Array("table:wordz".utf8).withBytes { (key) throws(EmbeddingError) in
          try transaction.put(key, copy, in: database.meta)
        }
      }
    }
    let report = try database.verify()
    #expect(report.counts == [.record: 1], "\(report.problems)")
    #expect(report.problems[0].table == "wordz")
  }

  @Test func missingTreeOfOneTableDoesNotHideTheOthers() throws {
    let trees = [words.storage.ids.name, words.storage.blocks.name]
    try database.close()
    do {
      let environment = try Environment(path: directory.path)
      try environment.write { (transaction) throws(EmbeddingError) in
        for name in trees {
          try transaction.drop(
            try transaction.namedDatabase(name, integerKeys: true, create: false)!)
        }
      }
      try environment.close()
    }
    let reopened = try openDatabase(directory.path)
    try damageBlock(0, of: try reopened.table("numbers"))
    let report = try reopened.verify()
    #expect(report.counts == [.tree: 1, .block: 1], "\(report.problems)")
    #expect(report.problems.contains { $0.kind == .tree && $0.table == "words" })
    #expect(report.tables == 1)
  }

  @Test func damagedRecordOfOneTableDoesNotHideTheOthers() throws {
    try database.close()
    do {
      let environment = try Environment(path: directory.path)
      let meta = try environment.namedDatabase("meta", integerKeys: false, create: false)!
      try environment.write { (transaction) throws(EmbeddingError) in
        var stored = Array(try EmbeddingDatabase.get("table:words", from: meta, transaction)!)
        stored[20] ^= 4
        try Array("table:words".utf8).withBytes { (key) throws(EmbeddingError) in
          try stored.withBytes { (value) throws(EmbeddingError) in
            try transaction.put(key, value, in: meta)
          }
        }
      }
      try environment.close()
    }
    let reopened = try openDatabase(directory.path)
    let report = try reopened.verify()
    // Whose trees the others are cannot be said without the record.
    #expect(report.counts == [.record: 1], "\(report.problems)")
    #expect(report.tables == 1 && report.rows == 400)
    #expect(thrownError { _ = try reopened.statistics() }?.code == .corruption)
  }

  @Test func problemsBeyondTheCapAreCounted() throws {
    try database.environment.write { (transaction) throws(EmbeddingError) in
      try transaction.clear(words.storage.ids)
    }
    let report = try database.verify()
    #expect(report.counts == [.missingID: 497, .count: 1])
    #expect(report.problems.count == VerificationReport.describedProblems)
    #expect(report.problemCount == 498)
  }

  @Test func missingBlocksAreReportedAndTheRestIsChecked() throws {
    try database.environment.write { (transaction) throws(EmbeddingError) in
      _ = try transaction.delete(0, in: words.storage.blocks)
    }
    let report = try database.verify()
    #expect(report.counts[.block] == 1 && report.counts[.count] == 1, "\(report.problems)")
  }

  @Test func vectorsThatAreNotFiniteAreAWarning() throws {
    try database.environment.write { (transaction) throws(EmbeddingError) in
      let layout = words.storage.layout
      var buffer = BlockBuffer(layout: layout)
      buffer.load(try words.storage.block(0, in: transaction))
      let bad: [Float] = [.nan, .infinity]
      bad.withUnsafeBytes { buffer.setVector(3, from: $0.baseAddress!) }
      buffer.seal(number: 0)
      try transaction.put(0, buffer.bytes, in: words.storage.blocks)
    }
    let report = try database.verify()
    #expect(report.isIntact && report.nonFiniteRows == 1)
    let histograms = try words.histograms()
    #expect(histograms.nonFiniteRows == 1)
    #expect(histograms.norms.map(\.count).reduce(0, +) == 496)
    #expect(try words.nearest(to: [1, 1], count: 1000).count == 496)
  }

  private func hash(_ id: String) -> UInt64 { Array(id.utf8).withUnsafeBytes { xxh3($0) } }
}

extension IDEntries {
  fileprivate static func encode(_ id: String, row: UInt64) -> [UInt8] {
    Array(id.utf8).withUnsafeBytes { encode(row: row, bytes: $0) }
  }
}

extension WriteTransaction {
  fileprivate func set(
    _ value: [UInt8], for key: UInt64, in database: NamedDatabase
  ) throws(EmbeddingError) {
    try value.withBytes { (value) throws(EmbeddingError) in try put(key, value, in: database) }
  }

  fileprivate func copy(
    _ key: UInt64, to other: UInt64, in database: NamedDatabase
  ) throws(EmbeddingError) {
    try set(Array(try get(key, in: database)!), for: other, in: database)
  }
}
