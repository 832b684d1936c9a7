import ArgumentParser
import Embeddings

/// Evicts rows by a rule.
struct Evict: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Evict rows that are old, rare or small, or down to a number of rows.",
    discussion: """
      A row goes if any of the criteria takes it. --keep comes last: of the rows that the others \
      leave, so many stay, and the rest goes. All of it is one transaction: all or nothing. Evicted \
      ids start anew if they come back, and the step of the database stays as it is.

      Look first: --dry-run changes nothing, and reports exactly what would go: how many rows, by \
      frequency and by age in steps, and some of their ids. It works while another process trains, \
      and then speaks of the last commit.

      The file keeps the pages that become free, and fills them before it grows; 'embstore compact' \
      gives them back to the file system. A trainer can have a policy evict at its commits instead: \
      see EvictionPolicy in the library.

      With --json: table, dry_run, step, rows_before, evicted, rows_left, too_old, too_rare, \
      too_small, beyond_target, bytes_freed, frequencies and ages (from, through, rows), sample \
      (id, id_hex).

      EXAMPLES:
        embstore evict words.emb --older-than 100000 --dry-run
        embstore evict words.emb --older-than 100000 --fewer-than 2
        embstore evict model.emb --table users --keep 1000000 --by frequency
        embstore evict model.emb --table users --norm-below 1e-6 --sample 100
      """)

  /// Which rows `--keep` keeps.
  enum Order: String, ExpressibleByArgument, CaseIterable {
    case newest, frequency
  }

  @OptionGroup var database: DatabaseArguments
  @OptionGroup var table: TableOption
  @Option(help: "Evict rows last updated more than so many steps ago.")
  var olderThan: Int64?
  @Option(help: "Evict rows seen fewer than so many times.")
  var fewerThan: UInt64?
  @Option(help: "Evict rows of whose vector half the squared norm is below this.")
  var normBelow: Float?
  @Option(help: "Evict rows until so many are left.")
  var keep: Int?
  @Option(help: "What --keep keeps: the newest rows, or those of the highest frequency.")
  var by: Order?
  @Flag(help: "Change nothing; report what would go.")
  var dryRun = false
  @Option(help: "The most ids to show of those that go.")
  var sample = 10
  @OptionGroup var output: OutputOptions
  @OptionGroup var progress: ProgressOptions

  func validate() throws {
    guard olderThan != nil || fewerThan != nil || normBelow != nil || keep != nil else {
      throw ValidationError(
        "Say which rows to evict: --older-than, --fewer-than, --norm-below or --keep.")
    }
    guard (keep == nil) == (by == nil) else {
      throw ValidationError(
        keep == nil
          ? "--by says which rows --keep keeps: give both."
          : "Say which rows to keep: --by newest or --by frequency.")
    }
    if let olderThan, olderThan < 0 { throw ValidationError("--older-than is at least 0.") }
    if let normBelow, !(normBelow >= 0 && normBelow.isFinite) {
      throw ValidationError("--norm-below is a number of at least 0.")
    }
    if let keep, keep < 0 { throw ValidationError("--keep is at least 0.") }
    guard sample >= 0 else { throw ValidationError("--sample is at least 0.") }
  }

  private var rule: EvictionRule {
    var rule = EvictionRule.nothing
    if let olderThan { rule = rule.or(.olderThan(steps: olderThan)) }
    if let fewerThan { rule = rule.or(.seenFewerThan(fewerThan)) }
    if let normBelow { rule = rule.or(.normBelow(normBelow)) }
    if let keep, let by {
      rule = rule.or(.keeping(rows: keep, by == .newest ? .newest : .mostFrequent))
    }
    return rule
  }

  func run() throws {
    let store = try dryRun ? database.openForReading() : database.openForWriting()
    let target = try table.open(in: store)
    let bar = ProgressBar(dryRun ? "looking" : "evicting", isQuiet: progress.quiet)
    defer { bar.finish() }
    let found = try Interruption.during("nothing was evicted") {
      () throws(EmbeddingError) in
      try target.evict(rule, dryRun: dryRun, sample: sample) {
        bar.update(rows: $0.rows, fraction: Double($0.rows) / Double(max(1, $0.totalRows)))
      }
    }
    bar.finish()
    try report(text(found, target.name), json(found, target.name), asJSON: output.json)
    try store.close()
  }

  private func text(_ found: EvictionReport, _ name: String) -> String {
    let share = Double(found.evicted) / Double(max(1, found.rowsBefore)) * 100
    var lines = [
      "\(found.isDryRun ? "Would evict" : "Evicted") \(counted(found.evicted, "row")) of "
        + "\(grouped(found.rowsBefore)) (\(fixed(share, 1)) %) of table \(name); "
        + "\(counted(found.rowsLeft, "row")) \(found.isDryRun ? "would be" : "are") left."
    ]
    guard found.evicted > 0 else { return lines[0] }
    let reasons = [
      (found.tooOld, "too old"), (found.tooRare, "too rare"), (found.tooSmall, "too small"),
      (found.beyondTarget, "beyond the number to keep"),
    ].filter { $0.0 > 0 }.map { "\(grouped($0.0)) \($0.1)" }
    lines.append("  why: " + reasons.joined(separator: ", ") + " (a row may have several reasons)")
    lines.append("  frequency of what \(found.isDryRun ? "would go" : "went"):")
    lines += bars(found.frequencies.map { (label($0.range), $0.count) }).map { "    " + $0 }
    lines.append("  age in steps, at step \(found.step):")
    lines += bars(found.ages.map { (label($0.range), $0.count) }).map { "    " + $0 }
    if !found.sample.isEmpty {
      lines.append("  such as: " + found.sample.map(\.shown).joined(separator: " "))
    }
    lines.append(
      "  \(byteText(found.bytesFreed)) of blocks \(found.isDryRun ? "would become" : "became") "
        + "free; 'embstore compact' gives them back to the file system.")
    return lines.joined(separator: "\n")
  }

  private func label(_ range: ClosedRange<UInt64>) -> String {
    let low = grouped(range.lowerBound)
    return range.lowerBound == range.upperBound ? low : "\(low)-\(grouped(range.upperBound))"
  }

  private func json(_ found: EvictionReport, _ name: String) -> JSON {
    func bins(_ bins: [(ClosedRange<UInt64>, Int)]) -> JSON {
      .array(
        bins.map { range, count in
          .object([
            ("from", .unsigned(range.lowerBound)), ("through", .unsigned(range.upperBound)),
            ("rows", .integer(count)),
          ])
        })
    }
    return .object([
      ("table", .string(name)), ("dry_run", .bool(found.isDryRun)),
      ("step", .integer(found.step)), ("rows_before", .integer(found.rowsBefore)),
      ("evicted", .integer(found.evicted)), ("rows_left", .integer(found.rowsLeft)),
      ("too_old", .integer(found.tooOld)), ("too_rare", .integer(found.tooRare)),
      ("too_small", .integer(found.tooSmall)), ("beyond_target", .integer(found.beyondTarget)),
      ("bytes_freed", .integer(found.bytesFreed)),
      ("frequencies", bins(found.frequencies.map { ($0.range, $0.count) })),
      ("ages", bins(found.ages.map { ($0.range, $0.count) })),
      ("sample", .array(found.sample.map { .object($0.members) })),
    ])
  }
}
