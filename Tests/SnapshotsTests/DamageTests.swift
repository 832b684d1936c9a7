import Foundation
import Snapshots
import StorageBase
import TestSupport
import Testing

/// A snapshot may come from anywhere, in any state.
@Suite struct DamageTests {
  private let directory = TemporaryDirectory()
  private var path: String { directory.path + "/damaged.snapshot" }

  @Test(arguments: SnapshotKind.allCases)
  func everyFlippedByteIsNoticed(kind: SnapshotKind) throws {
    try kind.write(to: path)
    let original = try Data(contentsOf: URL(filePath: path))
    let contents = try Contents.read(path, kind.knownSections)
    // One bit of each byte, or with EMBEDDING_FLIPS=8 each bit.
    for turn in 0..<testSetting("EMBEDDING_FLIPS", default: 1) {
      for position in original.indices {
        var damaged = original
        let mask: UInt8 = 1 << UInt8((position + turn) % 8)
        damaged[position] ^= mask
        try damaged.write(to: URL(filePath: path))
        expectDamage(kind, contents, "byte \(position) ^ \(mask)")
      }
    }
  }

  @Test(arguments: SnapshotKind.allCases)
  func everyTruncationIsNoticed(kind: SnapshotKind) throws {
    try kind.write(to: path)
    let original = try Data(contentsOf: URL(filePath: path))
    let contents = try Contents.read(path, kind.knownSections)
    for length in 0..<original.count {
      try original.prefix(length).write(to: URL(filePath: path))
      expectDamage(kind, contents, "\(length) bytes")
    }
    try (original + [0]).write(to: URL(filePath: path))
    expectDamage(kind, contents, "one byte more")
    try (original + original).write(to: URL(filePath: path))
    expectDamage(kind, contents, "twice")
    try (original.dropFirst()).write(to: URL(filePath: path))
    expectDamage(kind, contents, "without the first byte")
  }

  @Test func partsOfAnotherSnapshotAreNoticed() throws {
    // Two snapshots that differ in nothing but their values, so that all offsets are the same.
    let description = SnapshotDescription.sample(.int64, dimension: 2, slotCount: 0)
    var sample = SampleRows(description, count: 40).rows
    sample.vectors = sample.vectors.map { _ in 1 }
    _ = try write(sample, description, to: path)
    let first = try Data(contentsOf: URL(filePath: path))
    sample.vectors = sample.vectors.map { _ in 2 }
    _ = try write(sample, description, to: path)
    let second = try Data(contentsOf: URL(filePath: path))
    #expect(first.count == second.count && first != second)
    for cut in 1..<first.count where first.prefix(cut) != second.prefix(cut) {
      guard first.suffix(from: cut) != second.suffix(from: cut) else { continue }
      try (first.prefix(cut) + second.suffix(from: cut)).write(to: URL(filePath: path))
      expectError(try Contents.read(path, []), "cut at \(cut)")
      expectError(try Contents.stream(path, []), "stream cut at \(cut)")
    }
  }

  /// The file must not read as anything, by any way of reading it; lookups may still give what is
  /// right.
  private func expectDamage(_ kind: SnapshotKind, _ contents: Contents, _ how: String) {
    expectError(try Contents.read(path, kind.knownSections), "\(kind), \(how)")
    expectError(try Contents.stream(path, kind.knownSections), "\(kind), \(how), as a stream")
    #expect(!SnapshotReader.verify(path: path).isIntact, "\(kind), \(how)")
    do throws(EmbeddingError) {
      let reader = try SnapshotReader(
        path: path, options: SnapshotReaderOptions(knownSections: kind.knownSections))
      var found = 0
      let rows = contents.rows
      try reader.lookup(rows.ids.batch, columns: .vectors) { (i, row) in
        found += 1
        let d = rows.dimension
        #expect(row.id == rows.ids[i] && row.frequency == rows.frequencies[i], "\(how)")
        #expect((0..<d).allSatisfy { row.vector[$0] == rows.vectors[i * d + $0] }, "\(how)")
      }
      #expect(found == rows.count, "\(kind), \(how): ids are missing")
      #expect(try reader.lookup(contents.deletions.batch) { (_, _) in } == 0)
    } catch {
      #expect([.corruption, .unsupportedFormat].contains(error.code), "\(how): \(error)")
    }
  }

  private func expectError(_ body: @autoclosure () throws -> Contents, _ how: String) {
    do {
      _ = try body()
      Issue.record("\(how) was read")
    } catch let error as EmbeddingError {
      #expect([.corruption, .unsupportedFormat].contains(error.code), "\(how): \(error)")
      #expect(error.message.contains(path))
    } catch {
      Issue.record("\(how): \(error)")
    }
  }
}
