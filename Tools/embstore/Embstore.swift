import ArgumentParser
import Embeddings
import Glibc

/// The command-line tool: makes, fills, shows, searches and checks embedding databases.
@main
struct Embstore: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "embstore",
    abstract: "Make, fill, show, search and check databases of embeddings.",
    discussion: """
      A database is a directory that holds named tables; a table maps ids to vectors. Commands that \
      read work while another process trains: they see its last commit. Commands that write need \
      the database to themselves. A snapshot is one file with one table as of one commit; commands \
      that look take it in place of a database. Where a database has one table, --table may be \
      left out.

      EXAMPLES:
        embstore import words.emb glove.6B.50d.txt --create
        embstore similar words.emb king
        embstore stat words.emb
        embstore help import

      COMPLETIONS:
        source <(embstore --generate-completion-script bash)

      \(Exit.help)
      """,
    version: "0.1.0",
    groupedSubcommands: [
      CommandGroup(name: "Fill", subcommands: [Create.self, Import.self, Delete.self, Evict.self]),
      CommandGroup(
        name: "Look",
        subcommands: [Stat.self, Get.self, Dump.self, Similar.self, Diff.self, Export.self]),
      CommandGroup(
        name: "Keep",
        subcommands: [Verify.self, ResetFilter.self, Backup.self, Compact.self, Merge.self]),
    ])

  static func main() {
    // A reader that goes away shows as an error of the write, so that files are tidied up.
    signal(SIGPIPE, SIG_IGN)
    // So does a file that grows beyond the process's limit.
    signal(SIGXFSZ, SIG_IGN)
    Interruption.watch()
    do {
      let arguments = Array(CommandLine.arguments.dropFirst())
      var command = try parseAsRoot(try ConfigurationFile.expand(arguments))
      try command.run()
    } catch let error as EmbeddingError {
      if !error.isBrokenPipe { complain("error: \(error.oneLine)") }
      Glibc.exit(error.exitCode)
    } catch let code as ExitCode {
      Glibc.exit(code.rawValue)
    } catch {
      let code = exitCode(for: error)
      if code.isSuccess { exit(withError: error) }
      let text = fullMessage(for: error)
      complain(text.hasPrefix("Error: ") ? "error: " + text.dropFirst("Error: ".count) : text)
      Glibc.exit(code.rawValue)
    }
  }
}

extension EmbeddingError {
  /// Message and cause on one line, as people read it on a terminal.
  fileprivate var oneLine: String {
    let line = description.split(whereSeparator: \.isNewline).joined(separator: " ")
    guard code == .unsupportedFileSystem else { return line }
    return line + " Here that is --allow-unsafe-file-system."
  }
}
