import Glibc
import TestSupport
import Testing

@testable import Embeddings

/// Whether this process may mount a small file system to fill.
private let canMount: Bool = {
  let directory = TemporaryDirectory()
  guard mount("tmpfs", directory.path, "tmpfs", 0, "size=1m") == 0 else { return false }
  return umount2(directory.path, 0) == 0
}()

@Suite struct FullDiskTests {
  @Test(
    .enabled(if: canMount, "needs the right to mount a file system"),
    arguments: [Durability.full, .noSync])
  func afterRoomIsMadeNothingIsLost(durability: Durability) throws {
    let directory = TemporaryDirectory()
    #expect(mount("tmpfs", directory.path, "tmpfs", 0, "size=8m") == 0)
    defer { umount2(directory.path, Int32(MNT_DETACH)) }
    let options = EmbeddingDatabase.Options(durability: durability)
    let database = try EmbeddingDatabase(at: directory.path + "/db", options: options)
    let configuration = TableConfiguration(
      dimension: 100, idType: .int64, initializer: .zeros, optimizer: .sgd(learningRate: 1))
    let table = try database.table("t", configuration)
    var reference = ReferenceTable(configuration)
    func update(_ range: Range<Int64>, _ step: Int64) throws {
      let gradients = [Float](repeating: Float(step), count: range.count * 100)
      try table.update(IDColumn(Array(range)), gradients: gradients, step: step)
      reference.update(range.map { .int64($0) }, gradients: gradients, step: step)
    }
    try update(0..<1000, 1)
    try database.commit(step: 1)
    let committed = reference

    // Something else takes the room.
    let ballast = directory.path + "/ballast"
    let stream = Glibc.open(ballast, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
    #expect(posix_fallocate(stream, 0, 7 << 20) == 0)
    Glibc.close(stream)
    try update(0..<6000, 2)
    for _ in 0..<3 {
      #expect(code { try database.commit(step: 2) } == .diskFull)
      #expect(try database.lastCommit == CommitPoint(step: 1))
      #expect(try committed.difference(from: table) == nil)
      #expect(try table.count == 6000)
    }
    // Behind the loop, whoever asks next is told, once; what was asked for on top of it fails too.
    try database.commit(step: 2, wait: false)
    try update(5000..<5500, 3)
    #expect(code { try database.waitForCommits() } == .diskFull)
    try database.waitForCommits()
    #expect(try committed.difference(from: table) == nil)
    #expect(try table.count == 6000)
    // Emptied, not only removed: a child process of another test may have inherited it.
    #expect(truncate(ballast, 0) == 0)
    unlink(ballast)
    try update(100..<200, 3)
    try database.commit(step: 3)
    #expect(try reference.difference(from: table) == nil)
    #expect(try brokenInvariant(of: table) == nil)
    try database.close()
  }
}
