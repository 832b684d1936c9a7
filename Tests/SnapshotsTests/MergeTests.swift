import Foundation
import Snapshots
import StorageBase
import TestSupport
import Testing

@Suite struct MergeTests {
  private let directory = TemporaryDirectory()
  private func path(_ name: String) -> String { directory.path + "/" + name }

  /// A table whose commits are exported in full and as deltas, kept in a dictionary.
  private struct Table {
    var description: SnapshotDescription
    var rows: [EmbeddingID: (vector: [Float], slots: [Float], frequency: UInt64, step: Int64)] = [:]
    var random = SeededGenerator(seed: 11)

    mutating func commit(
      changing count: Int, deleting: Int
    ) -> (changed: Set<EmbeddingID>, deleted: Set<EmbeddingID>) {
      description.point.step += 10
      description.generation += 1
      description.identity.low += 1
      var changed = Set<EmbeddingID>()
      for _ in 0..<count {
        let number = Int64.random(in: -9_000...9_000, using: &random)
        let id: EmbeddingID =
          description.idType == .int64 ? .int64(number) : EmbeddingID("word \(number)")
        changed.insert(id)
        rows[id] = (
          random.floats(description.dimension), random.floats(description.slotCount),
          (rows[id]?.frequency ?? 0) + 1, description.point.step
        )
      }
      var deleted = Set<EmbeddingID>()
      for id in rows.keys.sorted(by: SnapshotOrder.precedes).prefix(deleting)
      where !changed.contains(id) {
        deleted.insert(id)
        rows[id] = nil
      }
      return (changed, deleted)
    }

    func export(
      to path: String, _ description: SnapshotDescription, only: Set<EmbeddingID>? = nil,
      deleted: Set<EmbeddingID> = []
    ) throws {
      var batch = RowBatch(
        idType: description.idType, dimension: description.dimension,
        slotCount: description.storedSlotCount)
      for id in (only.map { Array($0) } ?? Array(rows.keys)).sorted(by: SnapshotOrder.precedes) {
        guard let row = rows[id] else { continue }
        batch.ids.append(id)
        batch.vectors += row.vector
        if description.includesSlots { batch.slots += row.slots }
        batch.frequencies.append(row.frequency)
        batch.lastSteps.append(row.step)
      }
      let writer = try SnapshotWriter(path: path, description: description)
      try writer.append(batch)
      if description.isDelta {
        try writer.appendDeletions(
          IDColumn(deleted.sorted(by: SnapshotOrder.precedes), type: description.idType))
      }
      let note = Array("section of step \(description.point.step)".utf8)
      try writer.appendSection("note", isRequired: false, content: note.span.bytes)
      try writer.finish()
    }
  }

  /// Exports commit 1 in full, commits 2 to 4 as deltas, and each in full, too.
  private func history(
    _ idType: IDType, _ encoding: ValueEncoding = .float32, includesSlots: Bool = true
  ) throws -> Table {
    var table = Table(
      description: .sample(
        idType, dimension: 5, slotCount: 2, encoding: encoding, includesSlots: includesSlots))
    _ = table.commit(changing: 6_000, deleting: 0)
    try table.export(to: path("full1"), table.description)
    for number in 2...4 {
      let base = table.description.state
      let (changed, deleted) = table.commit(changing: number == 3 ? 0 : 700, deleting: 150)
      try table.export(to: path("full\(number)"), table.description)
      var delta = table.description
      delta.base = base
      try table.export(to: path("delta\(number)"), delta, only: changed, deleted: deleted)
    }
    return table
  }

  @Test(arguments: [IDType.int64, .bytes], ValueEncoding.allCases)
  func deltasMergeIntoTheVeryBytesOfTheFullSnapshot(
    idType: IDType, encoding: ValueEncoding
  ) throws {
    let table = try history(idType, encoding, includesSlots: encoding == .float32)
    let deltas = ["delta2", "delta3", "delta4"].map { path($0) }
    let report = try SnapshotMerge.merge(
      base: path("full1"), deltas: deltas, into: path("merged"))
    #expect(report.applied == deltas && report.notes.isEmpty)
    #expect(report.description == table.description)
    #expect(report.summary.rowCount == UInt64(table.rows.count))
    #expect(try data("merged") == data("full4"))
    _ = try SnapshotMerge.merge(
      base: path("full2"), deltas: [path("delta3")], into: path("merged"))
    #expect(try data("merged") == data("full3"))
    _ = try SnapshotMerge.merge(base: path("full3"), deltas: [], into: path("merged"))
    #expect(try data("merged") == data("full3"))
  }

  @Test func aDeltaThatWasAppliedAlreadyIsPassedOver() throws {
    _ = try history(.int64)
    let report = try SnapshotMerge.merge(
      base: path("full2"), deltas: [path("delta2"), path("delta3"), path("delta3")],
      into: path("merged"))
    #expect(report.applied == [path("delta3")])
    #expect(report.notes.count == 2 && report.notes[0].contains("reached already"))
    #expect(try data("merged") == data("full3"))
  }

  @Test func aDeltaOfAnotherStateIsRefusedWithBothNames() throws {
    let table = try history(.int64)
    // Commits 1 to 4 are at steps 110 to 140.
    for (deltas, steps) in [
      (["delta3"], [110, 120, 130]), (["delta2", "delta4"], [120, 130, 140]),
      (["delta3", "delta2"], [110, 120, 130]),
    ] {
      let error = #expect(throws: EmbeddingError.self) {
        try SnapshotMerge.merge(
          base: path("full1"), deltas: deltas.map { path($0) }, into: path("merged"))
      }
      #expect(error?.code == .configurationMismatch)
      #expect(error?.message.contains("\(table.description.identity)".prefix(16)) == true)
      for step in steps { #expect(error?.message.contains("step \(step)") == true) }
      #expect(!FileManager.default.fileExists(atPath: path("merged")))
    }
  }

  @Test func aDeltaIsNotABaseAndAFullSnapshotIsNotADelta() throws {
    _ = try history(.int64)
    #expect(throws: EmbeddingError.self) {
      try SnapshotMerge.merge(base: path("delta2"), deltas: [], into: path("merged"))
    }
    #expect(throws: EmbeddingError.self) {
      try SnapshotMerge.merge(base: path("full1"), deltas: [path("full2")], into: path("merged"))
    }
  }

  @Test func aDeltaOfAnotherTableIsRefused() throws {
    _ = try history(.int64)
    let reader = try SnapshotReader(path: path("delta2"))
    var other = reader.description
    other.table = "users"
    try SnapshotWriter(path: path("other"), description: other).finish()
    let error = #expect(throws: EmbeddingError.self) {
      try SnapshotMerge.merge(base: path("full1"), deltas: [path("other")], into: path("merged"))
    }
    #expect(error?.message.contains("its table is users, not words") == true)
  }

  private func data(_ name: String) throws -> Data {
    try Data(contentsOf: URL(filePath: path(name)))
  }
}
