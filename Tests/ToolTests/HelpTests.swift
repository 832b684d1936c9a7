import Foundation
import Testing

@Suite struct HelpTests {
  let bench = Workbench()
  static let commands = [
    "create", "import", "delete", "stat", "get", "dump", "similar", "export", "verify", "backup",
    "compact",
  ]

  @Test func theHelpNamesEveryCommandAndExitCode() throws {
    let help = try bench.succeed("--help").out
    for command in Self.commands { #expect(help.contains("\n  \(command) ")) }
    for code in ["64", "65", "73", "74", "75"] { #expect(help.contains("  \(code)  ")) }
    #expect(help.contains("--generate-completion-script"))
    #expect(try bench.succeed().out == help)
  }

  @Test(arguments: commands)
  func everyCommandHasAnExampleThatItsParserKnows(command: String) throws {
    let help = try bench.succeed("help", command).out
    let start = try #require(help.range(of: "EXAMPLES:"))
    let end = try #require(help.range(of: "USAGE:"))
    let examples = help[start.upperBound..<end.lowerBound].split(separator: "\n")
    #expect(examples.contains { $0.contains("embstore \(command) ") })
    // None is so long that the help breaks it.
    for example in examples where !example.allSatisfy(\.isWhitespace) {
      #expect(["  embstore ", "    | ", "  mv ", "  zcat "].contains { example.hasPrefix($0) })
    }
    // Every option of an example is one of the help.
    for word in examples.joined(separator: " ").split(separator: " ")
    where word.hasPrefix("--") && word.count > 2 {
      let other = try bench.succeed("help", "dump").out
      let isKnown = help[end.upperBound...].contains(word) || other.contains(word)
      #expect(isKnown, "\(command): \(word)")
    }
  }

  @Test(arguments: ["bash", "zsh", "fish"])
  func completionScriptsAreMade(shell: String) throws {
    let script = try bench.succeed("--generate-completion-script", shell).out
    for command in Self.commands { #expect(script.contains(command)) }
    #expect(script.contains("--initializer") || script.contains("initializer"))
  }

  @Test func aMisspeltOptionIsAUsageError() throws {
    try bench.fail("stat", "x.emb", "--jsn", status: 64, ["--jsn"])
    try bench.fail("stat", status: 64, ["database"])
    try bench.fail("frobnicate", status: 64, ["frobnicate"])
  }
}
