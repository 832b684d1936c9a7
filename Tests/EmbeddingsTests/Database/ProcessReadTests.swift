import Glibc
import TestSupport
import Testing

@testable import Embeddings

@Suite struct ProcessReadTests {
  /// Another process reads while the crash workload's trainer runs: every view must be a state that
  /// the oracle knows, whole, and the views must move on.
  @Test func anotherProcessSeesWholeCommitsOnly() throws {
    let directory = TemporaryDirectory()
    let path = directory.path + "/db"
    let child = ChildProcess("CrashWorker", ["train", path, "noSync"])
    _ = try #require(child.nextReport())
    let database = try EmbeddingDatabase(at: path, options: .readOnly)
    let tables = try CrashWorkload.tables.map { try database.table($0.name, $0.configuration) }
    var oracle = CrashOracle()
    var points: Set<CommitPoint> = []
    for _ in 0..<40 {
      try database.read { (view) throws(EmbeddingError) in
        let point = view.point
        oracle.advance(to: point)
        points.insert(point)
        for (t, table) in tables.enumerated() {
          var rows = ReferenceRows(oracle.tables[t])
          try view.forEachBatch(of: table, ofAtMost: 500, includingSlots: true) { (batch) in
            rows.compare(batch)
            return true
          }
          #expect(rows.result == nil, "at \(point), table \(table.name)")
        }
      }
      usleep(2000)
    }
    child.kill()
    child.wait()
    #expect(points.count > 1)
  }
}
