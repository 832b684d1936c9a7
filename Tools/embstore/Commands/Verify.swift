import ArgumentParser
import Embeddings
import Glibc

/// Checks a database.
struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check every checksum and every id; exit with 1 if there is damage.",
    discussion: """
      Reads the whole last commit, while training goes on. Rows that hold NaN or infinity are \
      counted, and are no damage. What LMDB keeps for itself (tree pages) has no checksums; damage \
      there shows where it makes something unreadable.

      With --json: intact, tables, blocks, rows, non_finite_rows, problem_count, and problems with \
      kind, table, message (at most \(VerificationReport.describedProblems)).

      EXAMPLES:
        embstore verify words.emb
        embstore verify words.emb --quiet || echo damaged
      """)

  @OptionGroup var database: DatabaseArguments
  @OptionGroup var output: OutputOptions
  @OptionGroup var progress: ProgressOptions

  func run() throws {
    let store = try database.openForReading()
    let bar = ProgressBar("verifying", isQuiet: progress.quiet)
    defer { bar.finish() }
    let found = try store.verify {
      bar.update(rows: $0.rows, fraction: Double($0.rows) / Double(max(1, $0.totalRows)))
    }
    bar.finish()
    try report(text(found), json(found), asJSON: output.json)
    if !found.isIntact { throw ExitCode(Exit.notFoundOrDamaged) }
  }

  private func text(_ found: VerificationReport) -> String {
    var lines = found.problems.map(\.description)
    if found.problemCount > lines.count {
      lines.append("and \(counted(found.problemCount - lines.count, "more problem"))")
    }
    let checked =
      "\(counted(found.tables, "table")), \(counted(found.rows, "row")), "
      + counted(found.blocks, "block")
    lines.append(
      found.isIntact
        ? "\(database.database) is intact: \(checked)."
        : "\(database.database) is DAMAGED: \(counted(found.problemCount, "problem")) in \(checked). "
          + "Go back to a backup, or export what can be read.")
    if found.nonFiniteRows > 0 {
      lines.append(
        "\(counted(found.nonFiniteRows, "row")) hold NaN or infinity: no damage of the store, but "
          + "of the model.")
    }
    return lines.joined(separator: "\n")
  }

  private func json(_ found: VerificationReport) -> JSON {
    .object([
      ("database", .string(database.database)), ("intact", .bool(found.isIntact)),
      ("tables", .integer(found.tables)), ("blocks", .integer(found.blocks)),
      ("rows", .integer(found.rows)), ("non_finite_rows", .integer(found.nonFiniteRows)),
      ("problem_count", .integer(found.problemCount)),
      (
        "problems",
        .array(
          found.problems.map {
            .object([
              ("kind", .string($0.kind.rawValue)), ("table", .optional($0.table, JSON.string)),
              ("message", .string($0.message)),
            ])
          })
      ),
    ])
  }
}
