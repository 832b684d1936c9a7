import Foundation
import Snapshots
import StorageBase
import TestSupport
import Testing

/// Files of every released version of the format must stay readable.
@Suite struct FixtureTests {
  static let fixtures = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "Fixtures").path

  @Test(arguments: SnapshotKind.allCases)
  func snapshotsOfVersion1ReadAsTheyDidThen(kind: SnapshotKind) throws {
    let path = Self.fixtures + "/version1/\(kind.rawValue).snapshot"
    let expected = try String(contentsOfFile: path + ".txt", encoding: .utf8)
    #expect(try Self.text(path, kind) == expected)
    #expect(SnapshotReader.verify(path: path).isIntact)
    #expect(try SnapshotReader.description(of: path, kind) == kind.description)
  }

  @Test(.enabled(if: getenv("EMBEDDING_WRITE_FIXTURES") != nil), arguments: SnapshotKind.allCases)
  func writeFixtures(kind: SnapshotKind) throws {
    let path = Self.fixtures + "/version1/\(kind.rawValue).snapshot"
    try kind.write(to: path)
    try Self.text(path, kind).write(toFile: path + ".txt", atomically: true, encoding: .utf8)
  }

  /// The content of a snapshot, floats as their bits.
  private static func text(_ path: String, _ kind: SnapshotKind) throws -> String {
    let contents = try Contents.read(path, kind.knownSections)
    let rows = contents.rows
    var text = ""
    func hex(_ floats: ArraySlice<Float>) -> String {
      floats.map { String($0.bitPattern, radix: 16) }.joined(separator: ",")
    }
    func name(_ id: EmbeddingID) -> String {
      switch id {
      case .int64(let id): "\(id)"
      case .bytes(let bytes): bytes.map { String($0, radix: 16) }.joined(separator: ".")
      }
    }
    for i in 0..<rows.count {
      let vector = hex(rows.vectors[i * rows.dimension..<(i + 1) * rows.dimension])
      let slots = hex(rows.slots[i * rows.slotCount..<(i + 1) * rows.slotCount])
      text +=
        "\(name(rows.ids[i])) \(rows.frequencies[i]) \(rows.lastSteps[i]) [\(vector)] [\(slots)]\n"
    }
    for i in 0..<contents.deletions.count { text += "deleted \(name(contents.deletions[i]))\n" }
    for section in contents.sections { text += "section \(section)\n" }
    return text
  }
}

extension SnapshotReader {
  static func description(of path: String, _ kind: SnapshotKind) throws -> SnapshotDescription {
    try SnapshotReader(
      path: path, options: SnapshotReaderOptions(knownSections: kind.knownSections)
    ).description
  }
}
