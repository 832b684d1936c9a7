import Embeddings
import TestSupport
import Testing

/// The code of the article `WorkingWithSnapshots` in `Embeddings.docc`, in the same words.
@Suite struct SnapshotExamplesTests {
  let directory = TemporaryDirectory()

  @Test func aTableIsExportedImportedAndServed() throws {
    let database = try EmbeddingDatabase(at: directory.path + "/model")
    let words = try database.table("words", TableConfiguration(dimension: 4))
    let gradients = [Float](repeating: 0.1, count: 4)
    try words.update(["king", "queen"], gradients: [gradients, gradients], step: 7)
    try database.commit(step: 7)
    let small = directory.path + "/small.embsnap"
    func exportSmall(_ file: String) throws {
      try words.exportSnapshot(
        file, SnapshotExportOptions(encoding: .float16, includesSlots: false))
    }
    try exportSmall(small)
    let file = directory.path + "/words.embsnap"

    let summary = try words.exportSnapshot(file)
    print(summary.description.point, summary.file.rowCount, summary.file.byteCount)

    let copy = try database.table("copy", inspectSnapshot(file).configuration())
    let imported = try copy.importSnapshot(file)
    try database.commit(step: imported.description.point.step)
    #expect(try copy.lookup(["king"]) == words.lookup(["king"]))
    #expect(imported.rows.inserted == 2)

    let source = words
    try source.update(["king"], gradients: [gradients], step: 8)
    try database.commit(step: 8)
    let (delta, merged) = (directory.path + "/delta.embsnap", directory.path + "/merged.embsnap")

    try source.exportSnapshot(delta, SnapshotExportOptions(since: .snapshot(file)))
    try copy.importSnapshot(delta)
    try mergeSnapshots(file, [delta], into: merged)
    #expect(try copy.lookup(["king"]) == words.lookup(["king"]))
    #expect(try compareRows(.snapshot(merged), .table(words)).moved == 0)

    let served = try SnapshotStore(file, cacheBudget: 256 << 20)
    let vectors = try served.lookup(["king", "throne"])
    let near = try served.nearest(to: "king", count: 3)
    #expect(vectors.count == 2)
    #expect(near.map(\.id) == ["queen"])
  }
}
