import Foundation
import Testing

@Suite struct HelpTests {
  let bench = Workbench()
  static let commands = [
    "create", "import", "delete", "stat", "get", "dump", "similar", "export", "verify", "backup",
    "compact", "merge", "diff", "evict", "reset-filter",
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

  @Test func theHelpNamesEveryKeyOfJSON() throws {
    try bench.makeWords()
    func keys(_ value: Any) -> [String] {
      switch value {
      case let members as [String: Any]:
        // The configuration's keys are the library's names.
        members.flatMap { [$0.key] + ($0.key == "configuration" ? [] : keys($0.value)) }
      case let values as [Any]: values.flatMap(keys)
      default: []
      }
    }
    for command in [
      ["create", "words.emb", "x", "--dimension", "2"], ["stat", "words.emb"],
      ["get", "words.emb", "king", "--table", "words"],
      ["dump", "words.emb", "--limit", "1", "--table", "words"],
      ["similar", "words.emb", "king", "--count", "1", "--table", "words"],
      ["export", "words.emb", "out.txt", "--table", "words"],
      ["import", "words.emb", "out.txt", "--table", "words"],
      ["export", "words.emb", "out.embsnap", "--table", "words"], ["stat", "out.embsnap"],
      ["verify", "out.embsnap"], ["diff", "out.embsnap", "out.embsnap"],
      ["import", "words.emb", "out.embsnap", "--table", "words"],
      ["delete", "words.emb", "king", "--table", "words"], ["verify", "words.emb"],
      ["backup", "words.emb", "b.emb"], ["compact", "words.emb", "c.emb"],
      ["evict", "words.emb", "--keep", "2000", "--by", "newest", "--table", "words"],
      ["compact", "words.emb"],
    ] {
      let process = bench.process(command + ["--json"])
      let out = Pipe()
      process.standardOutput = out
      try process.run()
      let data = try out.fileHandleForReading.readToEnd() ?? Data()
      process.waitUntilExit()
      #expect(process.terminationStatus == 0, "\(command)")
      let help = try bench.succeed("help", command[0]).out
      let words = Set(help.split { !$0.isLetter && $0 != "_" }.map(String.init))
      let unknown = Set(keys(try JSONSerialization.jsonObject(with: data))).subtracting(words)
      #expect(unknown.isEmpty, "\(command[0]): \(unknown)")
    }
  }

  @Test(arguments: ["bash", "zsh", "fish"])
  func completionScriptsAreMade(shell: String) throws {
    let script = try bench.succeed("--generate-completion-script", shell).out
    for command in Self.commands { #expect(script.contains(command)) }
    #expect(script.contains("--initializer") || script.contains("initializer"))
  }

  @Test func tableNamesAreCompleted() throws {
    try bench.succeed("create", "x.emb", "users", "--dimension", "2")
    try bench.succeed("create", "x.emb", "items", "--dimension", "2")
    let script = try bench.succeed("--generate-completion-script", "bash").out
    try bench.write(
      """
      export PATH=\(Workbench.tool.deletingLastPathComponent().path):$PATH
      COMP_WORDS=(embstore dump x.emb --table "")
      COMP_CWORD=4
      COMP_LINE="embstore dump x.emb --table "
      COMP_POINT=${#COMP_LINE}
      function=$(complete -p embstore | sed 's/.*-F \\([^ ]*\\).*/\\1/')
      $function embstore "" --table
      printf '%s\\n' "${COMPREPLY[@]}"
      """, to: "complete.sh")
    let shell = Process()
    shell.executableURL = URL(fileURLWithPath: "/bin/bash")
    shell.currentDirectoryURL = URL(fileURLWithPath: bench.path("."))
    try bench.write(script, to: "script.sh")
    shell.arguments = ["-c", "source script.sh; source complete.sh"]
    let out = Pipe()
    shell.standardOutput = out
    try shell.run()
    let words = String(decoding: try out.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    shell.waitUntilExit()
    #expect(words.split(separator: "\n") == ["items", "users"])
  }

  @Test func aMisspeltOptionIsAUsageError() throws {
    try bench.fail("stat", "x.emb", "--jsn", status: 64, ["--jsn"])
    try bench.fail("stat", status: 64, ["database"])
    try bench.fail("frobnicate", status: 64, ["frobnicate"])
  }
}
