import Foundation
import Snapshots
import StorageBase
import Synchronization
import TestSupport
import Testing

@Suite struct ThreadTests {
  private let directory = TemporaryDirectory()

  @Test(arguments: [0, 200_000, 64 << 20])
  func manyThreadsLookUpAndScanAtOnce(cacheBudget: Int) throws {
    let path = directory.path + "/shared.snapshot"
    let description = SnapshotDescription.sample(.bytes, dimension: 16, slotCount: 16)
    let sample = SampleRows(description, count: 20_000)
    _ = try write(sample.rows, description, to: path)
    let reader = try SnapshotReader(
      path: path, options: SnapshotReaderOptions(cacheBudget: cacheBudget))
    let wrong = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: 6) { thread in
      var random = SeededGenerator(seed: UInt64(thread))
      do {
        if thread == 0 {
          if !same(try readAll(reader, threads: 2), sample.rows) {
            wrong.add(1, ordering: .relaxed)
          }
          return
        }
        for _ in 0..<20 {
          let picks = (0..<50).map { _ in Int.random(in: 0..<20_000, using: &random) }
          let ids = IDColumn(picks.map { sample.ids[$0] }, type: .bytes)
          let columns: SnapshotColumns = thread == 1 ? .all : .vectors
          let found = try reader.lookup(ids.batch, columns: columns) { (i, row) in
            if row.ordinal != UInt64(picks[i])
              || row.vector[15] != sample.rows.vectors[picks[i] * 16 + 15]
              || (columns == .all && row.slots[3] != sample.rows.slots[picks[i] * 16 + 3])
            {
              wrong.add(1, ordering: .relaxed)
            }
          }
          if found != 50 { wrong.add(1, ordering: .relaxed) }
        }
      } catch {
        wrong.add(1, ordering: .relaxed)
      }
    }
    #expect(wrong.load(ordering: .relaxed) == 0)
  }

  @Test func aScanEndsWhenItsBodyThrows() throws {
    let path = directory.path + "/scanned.snapshot"
    let description = SnapshotDescription.sample(dimension: 64, slotCount: 64)
    _ = try write(SampleRows(description, count: 6_000).rows, description, to: path)
    let reader = try SnapshotReader(path: path)
    var batches = 0
    let error = #expect(throws: EmbeddingError.self) {
      try reader.forEachBatch(threads: 3) { (_, _) throws(EmbeddingError) in
        batches += 1
        if batches == 3 { throw EmbeddingError(.cancelled, "enough") }
      }
    }
    #expect(error?.code == .cancelled && batches == 3)
  }

  @Test func aWriterThatIsLetGoLeavesNothing() throws {
    let description = SnapshotDescription.sample(dimension: 64, slotCount: 64)
    let rows = SampleRows(description, count: 3_000).rows
    do {
      let writer = try SnapshotWriter(
        path: directory.path + "/dropped.snapshot", description: description,
        options: SnapshotWriterOptions(threads: 3))
      try writer.append(rows)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [])
  }
}
