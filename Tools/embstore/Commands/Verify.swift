import ArgumentParser
import Embeddings
import Glibc

/// Checks a database or a snapshot.
struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check every checksum and every id; exit with 1 if there is damage.",
    discussion: """
      Reads the whole last commit, while training goes on. Rows that hold NaN or infinity are \
      counted, and are no damage. What LMDB keeps for itself (tree pages) has no checksums; damage \
      there shows where it makes something unreadable.

      With --json: intact, tables, blocks, rows, non_finite_rows, problem_count, and problems with \
      kind, table, message (at most \(VerificationReport.describedProblems)). Of a snapshot: \
      snapshot, intact, rows, deletions, problem_count, and problems with message.

      EXAMPLES:
        embstore verify words.emb
        embstore verify words.emb --quiet || echo damaged
        embstore verify words.embsnap
      """)

  @OptionGroup var database: SourceArguments
  @OptionGroup var output: OutputOptions
  @OptionGroup var progress: ProgressOptions

  func run() throws {
    if database.isOfSnapshot { return try verifyFile() }
    let store = try database.openDatabase()
    let bar = ProgressBar("verifying", isQuiet: progress.quiet)
    defer { bar.finish() }
    let found = try store.verify {
      bar.update(rows: $0.rows, fraction: Double($0.rows) / Double(max(1, $0.totalRows)))
    }
    bar.finish()
    try report(text(found), json(found), asJSON: output.json)
    if !found.isIntact { throw ExitCode(Exit.notFoundOrDamaged) }
  }

  private func verifyFile() throws {
    let found = verifySnapshot(database.database)
    let checked =
      counted(found.rowCount, "row")
      + (found.deletionCount > 0 ? ", \(counted(found.deletionCount, "deletion"))" : "")
    let verdict =
      found.isIntact
      ? "\(database.database) is intact: \(checked)."
      : "\(database.database) is DAMAGED: \(counted(found.findings.count, "problem")); \(checked) "
        + "can be read. Copy it again, or export it anew."
    try report(
      (found.findings.map(\.description) + [verdict]).joined(separator: "\n"),
      .object([
        ("snapshot", .string(database.database)), ("intact", .bool(found.isIntact)),
        ("rows", .unsigned(found.rowCount)), ("deletions", .unsigned(found.deletionCount)),
        ("problem_count", .integer(found.findings.count)),
        (
          "problems",
          .array(found.findings.map { .object([("message", .string($0.description))]) })
        ),
      ]), asJSON: output.json)
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
        "NaN or infinity in \(counted(found.nonFiniteRows, "row")): no damage of the store, but of "
          + "the model.")
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
