import Foundation
import Snapshots
import StorageBase
import TestSupport
import Testing

@Suite struct WriterTests {
  private let directory = TemporaryDirectory()
  private var path: String { directory.path + "/written.snapshot" }

  @Test(arguments: [1, 2])
  func rowsOutOfOrderAreRefused(threads: Int) throws {
    let description = SnapshotDescription.sample(dimension: 1, slotCount: 0)
    for ids: [Int64] in [[1, 3, 2], [1, 1], Array(0..<9_000) + [8_999], Array(0..<9_000) + [3]] {
      var rows = RowBatch(idType: .int64, dimension: 1)
      for id in ids { rows.ids.append(id) }
      rows.vectors = ids.map { Float($0) }
      let error = #expect(throws: EmbeddingError.self) {
        _ = try write(rows, description, to: path, threads: threads)
      }
      #expect(error?.code == .invalidArgument)
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [])
    }
  }

  @Test func byteStringsOutOfOrderAreRefused() throws {
    let description = SnapshotDescription.sample(.bytes, dimension: 1, slotCount: 0)
    var rows = SampleRows(description, count: 10).rows.part(0..<2)
    rows.ids = IDColumn([rows.ids[1], rows.ids[0]], type: .bytes)
    #expect(throws: EmbeddingError.self) { _ = try write(rows, description, to: path) }
  }

  @Test func columnsThatDoNotFitAreRefused() throws {
    let description = SnapshotDescription.sample(dimension: 2, slotCount: 1)
    let rows = SampleRows(description, count: 4).rows
    var short = rows
    short.vectors.removeLast()
    var withoutSlots = rows
    withoutSlots.slots = []
    var partial = rows
    partial.frequencies.removeLast()
    let words = SampleRows(.sample(.bytes, dimension: 2, slotCount: 1), count: 4).rows
    for bad in [short, withoutSlots, partial, words] {
      let error = #expect(throws: EmbeddingError.self) {
        _ = try write(bad, description, to: path)
      }
      #expect(error?.code == .invalidArgument)
    }
  }

  @Test func descriptionsBeyondTheLimitsAreRefused() {
    for change: (inout SnapshotDescription) -> Void in [
      { $0.dimension = 0 }, { $0.dimension = 8_193 }, { $0.slotCount = 40_000 },
      { $0.table = String(repeating: "x", count: 256) },
    ] {
      var description = SnapshotDescription.sample()
      change(&description)
      #expect(throws: EmbeddingError.self) {
        try SnapshotWriter(path: path, description: description)
      }
    }
  }

  @Test func largestRowsAreHeld() throws {
    let description = SnapshotDescription.sample(dimension: 8_192, slotCount: 32_768)
    let sample = SampleRows(description, count: 5)
    _ = try write(sample.rows, description, to: path)
    #expect(same(try readAll(try SnapshotReader(path: path)), sample.rows))
  }

  @Test(arguments: [1, 3])
  func longIdsAreHeld(threads: Int) throws {
    let description = SnapshotDescription.sample(.bytes, dimension: 2, slotCount: 0)
    var ids: [EmbeddingID] = [400_000, 5_000_000, 700_000, 700_000, 1_048_576, 1_048_577]
      .enumerated()
      .map { (i, length) in .bytes([UInt8](repeating: UInt8(i), count: length)) }
    ids += (0..<40).map { EmbeddingID("short \($0)") }
    ids.sort(by: SnapshotOrder.precedes)
    var rows = RowBatch(idType: .bytes, dimension: 2)
    for id in ids { rows.ids.append(id) }
    rows.vectors = (0..<2 * ids.count).map { Float($0) }
    _ = try write(rows, description, to: path, threads: threads)
    let reader = try SnapshotReader(path: path)
    #expect(try readAll(reader).ids == rows.ids)
    let count = try reader.lookup(rows.ids.batch) { (i, row) in
      #expect(row.vector[0] == Float(2 * i))
    }
    #expect(count == ids.count)
    #expect(SnapshotReader.verify(path: path).isIntact)
    let expected = try Data(contentsOf: URL(filePath: path))
    // One row at a time, and gathered: the same blocks.
    let writer = try SnapshotWriter(path: path, description: description)
    for i in 0..<ids.count {
      var one = RowBatch(idType: .bytes, dimension: 2)
      one.ids.append(ids[i])
      one.vectors = [rows.vectors[2 * i], rows.vectors[2 * i + 1]]
      try writer.append(one)
    }
    try writer.finish()
    #expect(try Data(contentsOf: URL(filePath: path)) == expected)
  }

  @Test func missingFrequenciesAndStepsReadAsZero() throws {
    let description = SnapshotDescription.sample(dimension: 2, slotCount: 0)
    var rows = SampleRows(description, count: 20).rows
    let second = rows.part(10..<20)
    rows = rows.part(0..<10)
    (rows.frequencies, rows.lastSteps) = ([], [])
    let writer = try SnapshotWriter(path: path, description: description)
    try writer.append(rows)
    try writer.append(second)
    try writer.finish()
    let back = try readAll(try SnapshotReader(path: path))
    #expect(back.frequencies == [UInt64](repeating: 0, count: 10) + second.frequencies)
    #expect(back.lastSteps == [Int64](repeating: 0, count: 10) + second.lastSteps)
  }

  @Test func extremeIntegersAreHeld() throws {
    let description = SnapshotDescription.sample(dimension: 1, slotCount: 0)
    var rows = RowBatch(idType: .int64, dimension: 1)
    for id in [Int64.min, -1, 0, 1, .max] { rows.ids.append(id) }
    rows.vectors = [1, 2, 3, 4, 5]
    rows.frequencies = [0, .max, 1, 2, 3]
    rows.lastSteps = [.min, .max, 0, -1, 1]
    _ = try write(rows, description, to: path)
    let reader = try SnapshotReader(path: path)
    #expect(same(try readAll(reader), rows))
    let count = try reader.lookup(rows.ids.batch) { (i, row) in
      #expect(row.vector[0] == Float(i + 1))
    }
    #expect(count == 5)
  }

  @Test func everyFailingSystemCallLeavesNothingBehind() throws {
    let description = SnapshotDescription.sample(dimension: 64, slotCount: 64)
    let rows = SampleRows(description, count: 4_000).rows
    let count = FaultPlan()
    try FileFaults.run(count) { _ = try write(rows, description, to: path, threads: 2) }
    let before = try Data(contentsOf: URL(filePath: path))
    #expect(count.calls > 4)
    for call in 0..<count.calls {
      for errno: Int32 in [5, 28] {
        let plan = FaultPlan(failingCall: call, errno: errno)
        let error = #expect(throws: EmbeddingError.self) {
          try FileFaults.run(plan) { _ = try write(rows, description, to: path, threads: 2) }
        }
        #expect([.io, .diskFull].contains(error?.code), "call \(call): \(error as Any)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).count == 1)
        #expect(try Data(contentsOf: URL(filePath: path)) == before)
      }
    }
  }

  @Test func everyFailingReadIsReported() throws {
    let description = SnapshotDescription.sample(dimension: 64, slotCount: 64)
    let sample = SampleRows(description, count: 2_000)
    _ = try write(sample.rows, description, to: path)
    let read: @Sendable () throws -> Int = { [path] in
      try readAll(try SnapshotReader(path: path)).count
    }
    let count = FaultPlan()
    #expect(try FileFaults.run(count, read) == 2_000)
    for call in 0..<count.calls {
      let error = #expect(throws: EmbeddingError.self) {
        _ = try FileFaults.run(FaultPlan(failingCall: call), read)
      }
      #expect(error?.code == .io)
    }
    let trickle = FaultPlan(maximumTransfer: 1_000)
    #expect(try FileFaults.run(trickle, read) == 2_000)
  }
}
