import ArgumentParser
import Embeddings

/// Takes in the rows of a file.
struct Import: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Take in the rows of a file, all or nothing.",
    discussion: """
      Reads \(FileKind.allValueStrings.joined(separator: ", ")); the format is found \
      by content (of a snapshot in a pipe by --format), and Zstandard is decompressed. '-' is \
      standard input. Of equal ids in a file the \
      first counts. Import a file sorted by falling frequency as it is: hot rows then lie together.

      With --create, a database and a table that fit the file are made where they are missing. The \
      table is named after the file, unless --table names it. For an optimizer or initializer of \
      your own, make the table with 'embstore create' first.

      A snapshot brings slots, frequencies and last steps, and with --create name and configuration \
      of its table, and for a new database its step: training goes on as if it had never stopped. \
      Dimension, id type, optimizer, initializer and seed must be the table's; other \
      hyper-parameters are warned about. Rows are laid out by frequency.

      A delta brings the table from the state that it names to the next: its rows replace theirs, \
      and the ids that it deletes go. It is taken in whole or not at all, where the table is in that \
      state: after the import of its base into an empty table, and the deltas before it. One that was \
      taken in already is passed over; a table that was trained since takes none. In a database of \
      one table, the step becomes the delta's.

      With --json: database, table, created, inserted, replaced, kept, duplicates, and rows, the \
      table's count afterwards; of a delta database, table, created, inserted, replaced, deleted, \
      applied_before, rows, identity, step, batches.

      EXAMPLES:
        embstore import words.emb glove.6B.50d.txt --create
        embstore import words.emb news.vec --table words --existing keep
        embstore import words.emb model.bin --vocabulary model.vocab
        embstore import items.emb items.npy --ids items.txt --create --table items
        zcat huge.txt.gz | embstore import words.emb - --format glove --table words
        embstore import copy.emb words.embsnap --create
        embstore import other.emb words.embsnap --vectors-only
        embstore import copy.emb tuesday.embsnap
      """)

  /// What happens to an id that has a row already.
  enum Existing: String, ExpressibleByArgument, CaseIterable {
    case replace, keep, newer, refuse
  }

  @OptionGroup var database: DatabaseArguments
  @Argument(help: "The file; '-' is standard input.", completion: .file())
  var file: String
  @OptionGroup var table: TableOption
  @Flag(help: "Make what is missing: a database, and a table that fits the file.")
  var create = false
  @Option(help: "The format, where content does not tell.")
  var format: FileKind?
  @Option(
    help: "What happens to ids that have a row already; newer replaces those of earlier last steps."
  )
  var existing: Existing = .replace
  @Option(
    help: "For npy and safetensors: a file with the id of each row, one a line, or an integer npy.",
    completion: .file())
  var ids: String?
  @Option(help: "For safetensors: the tensor with the vectors.")
  var tensor: String?
  @Option(
    help: "For words: a file of 'word count' lines; counts become frequencies.",
    completion: .file())
  var vocabulary: String?
  @Option(help: "Read ids as bytes or int64, where the file leaves it open.")
  var idType: IDType?
  @Flag(
    help: "Of a snapshot: take vectors alone; optimizer slots start anew, and may be others.")
  var vectorsOnly = false
  @Flag(help: "Of a snapshot: take vectors that were stored with less precision.")
  var acceptLossy = false
  @Flag(help: "Of a snapshot: take it into a table of another initializer or seed.")
  var acceptOtherInitializer = false
  @Option(help: "The step that the rows count as updated in.")
  var step: Int64 = 0
  @Option(help: "Take the first so many rows only.")
  var limit: Int?
  @OptionGroup var output: OutputOptions
  @OptionGroup var progress: ProgressOptions

  /// Whether the file is a snapshot.
  var isOfSnapshot: Bool {
    format.map { $0 == .snapshot } ?? (isSnapshot(file) || file.hasSuffix(FileKind.snapshotEnding))
  }

  func run() throws {
    guard !isOfSnapshot else { return try importSnapshot() }
    guard !vectorsOnly, !acceptLossy, !acceptOtherInitializer else {
      throw ValidationError(
        "--vectors-only, --accept-lossy and --accept-other-initializer are for snapshots; \(file) is "
          + "none, or standard input, which needs --format snapshot.")
    }
    let options = FileImportOptions(
      format: format?.exchange, existing: existing.option, step: step, idsPath: ids,
      tensorName: tensor,
      vocabularyPath: vocabulary, idType: idType, maximumRows: limit)
    let target = try open { () throws(EmbeddingError) -> Wanted in
      let found = try inspectFile(file, options)
      return Wanted(
        name: tableName(of: file),
        configuration: TableConfiguration(dimension: found.dimension, idType: found.idType))
    }
    let summary = try take(target) {
      (progress: @escaping (FileProgress) -> Void) throws(EmbeddingError) -> ImportSummary in
      try target.table.importFile(file, options, progress: progress)
    }
    try tell(summary, target)
    try target.table.database.close()
  }

  /// Runs `body`, with a bar, and removes what was made where it fails.
  func take<R>(
    _ target: Target, _ body: (@escaping (FileProgress) -> Void) throws(EmbeddingError) -> R
  ) throws(EmbeddingError) -> R {
    let title = "importing \(file == "-" ? "standard input" : baseName(file))"
    let bar = ProgressBar(title, isQuiet: progress.quiet)
    do throws(EmbeddingError) {
      return try Interruption.during(
        target.onInterruption, cleanUp: target.isNewDatabase ? removal(of: database.database) : nil
      ) { () throws(EmbeddingError) in
        defer { bar.finish() }
        return try body { bar.update($0) }
      }
    } catch {
      // The first error tells more than one of tidying up.
      try? target.undo()
      throw error
    }
  }

  func tell(_ summary: ImportSummary, _ target: Target) throws {
    let rows = summary.inserted + summary.replaced
    // A new table has nothing to replace or keep.
    var parts = target.isNewTable ? [] : ["\(grouped(summary.inserted)) new"]
    if summary.replaced > 0 { parts.append("\(grouped(summary.replaced)) replaced") }
    if summary.kept > 0 { parts.append("\(grouped(summary.kept)) kept as they were") }
    if summary.duplicates > 0 {
      parts.append("\(grouped(summary.duplicates)) passed over, their ids being repeated")
    }
    let total = try target.table.count
    let name = target.table.name
    let details = parts.isEmpty ? "" : " (\(parts.joined(separator: ", ")))"
    try report(
      "Imported \(counted(rows, "row")) of dimension \(target.table.configuration.dimension) into "
        + (target.isNewTable
          ? "the new table \(name)\(details)."
          : "table \(name)\(details); it has \(counted(total, "row"))."),
      .object([
        ("database", .string(database.database)), ("table", .string(target.table.name)),
        ("created", .bool(target.isNewTable)), ("inserted", .integer(summary.inserted)),
        ("replaced", .integer(summary.replaced)), ("kept", .integer(summary.kept)),
        ("duplicates", .integer(summary.duplicates)), ("rows", .integer(total)),
      ]), asJSON: output.json)
  }
}

extension Import.Existing {
  var option: ImportOptions.Existing {
    switch self {
    case .replace: .replace
    case .keep: .keep
    case .newer: .newer
    case .refuse: .refuse
    }
  }
}

extension ProgressBar {
  /// Draws how far an import or export is: by bytes where a file is read, else by rows.
  func update(_ progress: FileProgress) {
    var fraction = progress.totalBytes.map { Double(progress.bytes) / Double(max($0, 1)) }
    if let total = progress.totalRows {
      fraction = max(fraction ?? 0, Double(progress.rows) / Double(max(total, 1)))
    }
    update(rows: progress.rows, fraction: fraction)
  }
}
