import Foundation
import Snapshots
import StorageBase
import TestSupport
import Testing

/// What holds for a snapshot of each kind.
@Suite struct WholeFileTests {
  private let directory = TemporaryDirectory()
  private var path: String { directory.path + "/whole.snapshot" }

  @Test(arguments: SnapshotKind.allCases)
  func eachWayOfReadingGivesTheSame(kind: SnapshotKind) throws {
    let written = try kind.write(to: path)
    var contents = try Contents.read(path, kind.knownSections)
    #expect(contents.rows.ids == written.ids && contents.deletions == kind.deletions)
    #expect(contents.rows.frequencies == written.frequencies)
    #expect(contents.rows.slots == written.slots)
    if !kind.description.isLossy { #expect(same(contents.rows, written)) }
    if kind == .withSections {
      #expect(contents.sections == SnapshotKind.sections.map(\.content))
    }
    contents.sections = []
    #expect(try Contents.stream(path, kind.knownSections) == contents)
    let verification = SnapshotReader.verify(path: path)
    #expect(verification.isIntact, "\(verification.findings)")
    #expect(verification.rowCount == UInt64(written.count))
    #expect(verification.deletionCount == UInt64(kind.deletions.count))
    #expect(verification.description == kind.description)
  }

  @Test(arguments: SnapshotKind.allCases, [4_000])
  func theStatisticsAddUpToTheFile(kind: SnapshotKind, count: Int) throws {
    try kind.write(to: path)
    let reader = try SnapshotReader(
      path: path, options: SnapshotReaderOptions(knownSections: kind.knownSections))
    let statistics = try reader.statistics()
    let columns = statistics.columns.reduce(0) { $0 + $1.storedBytes }
    #expect(columns + statistics.indexBytes + statistics.sectionBytes == reader.byteCount)
    let rows = reader.rowCount
    #expect(statistics.columns[3].valueBytes == 4 * rows * UInt64(kind.description.dimension))
    #expect(
      (statistics.columns[4].storedBytes > 0) == (kind.description.storedSlotCount > 0 && rows > 0))
  }

  @Test(.enabled(if: zstd != nil), arguments: SnapshotKind.allCases)
  func zstdAcceptsTheFile(kind: SnapshotKind) throws {
    try kind.write(to: path)
    #expect(try run(["-t", "-q", path]) == 0)
    #expect(try run(["-d", "-q", "-f", path, "-o", path + ".columns"]) == 0)
    let large = SampleRows(kind.description, count: 3_000)
    if !kind.description.isDelta {
      _ = try write(large.rows, kind.description, to: path)
      #expect(try run(["-t", "-q", path]) == 0)
    }
  }

  @Test(.enabled(if: zstd != nil))
  func aStreamMayBeCompressedOnceMore() throws {
    try SnapshotKind.int64.write(to: path)
    #expect(try run(["-q", "-f", path, "-o", path + ".zst"]) == 0)
    #expect(try Contents.stream(path + ".zst", []) == (try Contents.read(path, [])))
  }

  static let zstd = ["/usr/bin/zstd", "/usr/local/bin/zstd", "/opt/homebrew/bin/zstd"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  private func run(_ arguments: [String]) throws -> Int32 {
    let process = Process()
    process.executableURL = URL(filePath: try #require(Self.zstd))
    process.arguments = arguments
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus
  }

  @Test func aRequiredSectionThatIsUnknownIsRefused() throws {
    try SnapshotKind.withSections.write(to: path)
    let error = #expect(throws: EmbeddingError.self) { try SnapshotReader(path: path) }
    #expect(error?.code == .unsupportedFormat && error?.message.contains("'filter'") == true)
    let streamed = #expect(throws: EmbeddingError.self) { try Contents.stream(path, []) }
    #expect(streamed?.code == .unsupportedFormat)
  }

  @Test func aLaterVersionIsRefusedByName() throws {
    try SnapshotKind.int64.write(to: path)
    var bytes = try Data(contentsOf: URL(filePath: path))
    bytes[20] = 9
    try bytes.write(to: URL(filePath: path))
    let error = #expect(throws: EmbeddingError.self) { try SnapshotReader(path: path) }
    #expect(error?.code == .unsupportedFormat && error?.message.contains("version 9") == true)
  }
}
