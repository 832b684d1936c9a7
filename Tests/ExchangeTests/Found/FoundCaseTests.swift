import Foundation
import Testing

/// Replays what the fuzzers found once (`Tests/Fuzz`), and the fixtures that they start from.
@Suite struct FoundCaseTests {
  @Test(arguments: InputCheck.fuzzers)
  func foundCasesReadAsRowsOrEndInAnError(fuzzer: String) throws {
    for name in try names(in: "found") where name.hasPrefix("\(fuzzer)-") {
      #expect(try violation(fuzzer, "found/" + name) == nil, "\(name)")
    }
  }

  @Test(arguments: InputCheck.fuzzers)
  func fixturesOfEveryFormatReadAsRowsOrEndInAnError(fuzzer: String) throws {
    for name in try names(in: "generated") {
      #expect(try violation(fuzzer, "generated/" + name) == nil, "\(name)")
    }
  }

  private func names(in folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: Fixtures.path(folder)).sorted()
  }

  private func violation(_ fuzzer: String, _ name: String) throws -> String? {
    let check = try #require(InputCheck(fuzzer: fuzzer))
    return try Fixtures.bytes(name).withUnsafeBytes { check.violation($0) }
  }
}
