import Foundation
import Snapshots
import StorageBase
import TestSupport
import Testing

/// Replays what the fuzzer found once (`Tests/Fuzz`), and other files that are no snapshots, or
/// were.
@Suite struct FoundCaseTests {
  @Test func foundCasesReadAsRowsOrEndInAnError() throws {
    for path in try files(in: FixtureTests.fixtures + "/found") {
      #expect(try violation(path) == nil, "\(path)")
    }
  }

  @Test func fixturesReadAsRows() throws {
    for path in try files(in: FixtureTests.fixtures + "/version1") {
      #expect(try violation(path) == nil, "\(path)")
    }
  }

  @Test(.enabled(if: FileManager.default.fileExists(atPath: golden)))
  func filesOfZstandardAreNoSnapshots() throws {
    var count = 0
    for path in try files(in: Self.golden) {
      count += 1
      let error = #expect(throws: EmbeddingError.self) { try SnapshotReader(path: path) }
      #expect([.unsupportedFormat, .corruption].contains(error?.code))
      #expect(throws: EmbeddingError.self) { try SnapshotStream(path: path) }
      #expect(try violation(path) == nil, "\(path)")
    }
    #expect(count > 5)
  }

  /// Flips and cuts with the checksums made right again must not read as two different things.
  @Test(arguments: SnapshotKind.allCases)
  func changesBehindRightChecksumsEndInAnErrorOrInRows(kind: SnapshotKind) throws {
    let directory = TemporaryDirectory()
    let path = directory.path + "/changed.snapshot"
    try kind.write(to: path)
    let original = Array(try Data(contentsOf: URL(filePath: path)))
    #expect(original.withUnsafeBytes { SnapshotCheck.isIntactOnceRepaired($0) })
    #expect(original.withUnsafeBytes { SnapshotRepair($0).bytes } == original)
    for position in original.indices {
      var changed = original
      changed[position] ^= position % 9 == 8 ? 0xFF : 1 << UInt8(position % 9)
      let violation = changed.withUnsafeBytes { SnapshotCheck.violation($0) }
      #expect(violation == nil, "\(kind), byte \(position): \(violation ?? "")")
    }
  }

  private static let golden = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../../../shared/data/zstd-golden").standardizedFileURL.path

  private func files(in folder: String) throws -> [String] {
    let all = FileManager.default.enumerator(atPath: folder)?.allObjects as? [String] ?? []
    return all.sorted().map { folder + "/" + $0 }.filter {
      var isDirectory: ObjCBool = false
      return FileManager.default.fileExists(atPath: $0, isDirectory: &isDirectory)
        && !isDirectory.boolValue
    }
  }

  private func violation(_ path: String) throws -> String? {
    try Data(contentsOf: URL(filePath: path)).withUnsafeBytes { SnapshotCheck.violation($0) }
  }
}
