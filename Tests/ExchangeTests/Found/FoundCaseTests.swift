import Foundation
import Testing

/// Replays what the fuzzers found once (`Tests/Fuzz`), and the fixtures that they start from.
@Suite struct FoundCaseTests {
  @Test(arguments: [
    (InputCheck.text, "text"), (.word2vec, "word2vec"), (.npy, "npy"),
    (.safetensors, "safetensors"),
  ])
  func foundCasesReadAsRowsOrEndInAnError(check: InputCheck, fuzzer: String) throws {
    for name in try names(in: "found") where name.hasPrefix("\(fuzzer)-") {
      #expect(try violation(check, "found/" + name) == nil, "\(name)")
    }
  }

  @Test(arguments: [InputCheck.text, .word2vec, .npy, .safetensors])
  func fixturesOfEveryFormatReadAsRowsOrEndInAnError(check: InputCheck) throws {
    for name in try names(in: "generated") {
      #expect(try violation(check, "generated/" + name) == nil, "\(name)")
    }
  }

  private func names(in folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: Fixtures.path(folder)).sorted()
  }

  private func violation(_ check: InputCheck, _ name: String) throws -> String? {
    try Fixtures.bytes(name).withUnsafeBytes { check.violation($0) }
  }
}
