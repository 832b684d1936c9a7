import ArgumentParser
import Embeddings
import Glibc

/// Writes a table to a file.
struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a table to a snapshot, or to a file that other software reads.",
    discussion: """
      Writes the last commit, whatever is trained meanwhile. The file appears whole or not at all. \
      Vectors are exact, in text too. The name tells the format: .txt (word2vec text), .bin \
      (word2vec binary), .vec (fastText), .glove, .npy, .safetensors, NAME-keys (TFRA), .embsnap \
      (snapshot). '-' is standard output, and needs --format.

      A snapshot has the whole table: optimizer slots, frequencies, last steps, configuration. \
      Training goes on from it, on any machine; other commands read it as it is. Its rows stand in \
      the order of their ids. Exports of one commit are equal byte for byte.

      With --since, the snapshot is a delta: the rows written and the ids deleted since a step, or \
      since the state of a snapshot or delta file, whose encoding it then has. It takes as long as \
      what changed is large. 'embstore import' takes it in where the base was imported, and \
      'embstore merge' makes base and deltas into one snapshot, without a database. How far back \
      deltas reach: 65,536 commits, and as many deletions as the table has rows, or a million.

      With --json: table, file, format, rows, and step and batches of the commit written; of a \
      snapshot also identity, encoding, bytes; of a delta also deletions and base (identity, step, \
      batches). Where standard output is the file, that goes to \
      standard error.

      EXAMPLES:
        embstore export words.emb words.txt --order frequency
        embstore export words.emb words.bin --vocabulary words.vocab
        embstore export words.emb words.safetensors
        embstore export words.emb - --format glove | zstd > words.txt.zst
        embstore export words.emb words.embsnap
        embstore export words.emb serving.embsnap --encoding float16 --no-slots
        embstore export words.emb tuesday.embsnap --since monday.embsnap
        embstore export words.emb since-5000.embsnap --since 5000
      """)

  @OptionGroup var database: DatabaseArguments
  @Argument(help: "The file; '-' is standard output.", completion: .file())
  var file: String
  @OptionGroup var table: TableOption
  @Option(help: "The format, where the name does not tell.")
  var format: FileKind?
  @Option(help: "The order of rows: row (of first sight, the default) or frequency (falling).")
  var order: FileExportOptions.Order?
  @Option(help: "For words: a file for 'word count' lines.", completion: .file())
  var vocabulary: String?
  @Option(help: "For npy: the file for the ids.", completion: .file())
  var ids: String?
  @Option(help: "For safetensors: the name of the tensor with the vectors.")
  var tensor = "embeddings"
  @Option(help: "For snapshots: how vectors are stored (float32, which is exact, if not given).")
  var encoding: ValueEncoding?
  @Flag(name: .customLong("no-slots"), help: "For snapshots: leave out the optimizer slots.")
  var noSlots = false
  @Option(
    help: "For snapshots: write what changed since a step, or since the state of a snapshot file.",
    completion: .file())
  var since: String?
  @OptionGroup var output: OutputOptions
  @OptionGroup var progress: ProgressOptions

  func validate() throws {
    guard file != "-" || format != nil else {
      throw ValidationError(
        "Standard output has no name that tells a format. Add --format, one of "
          + FileKind.allValueStrings.joined(separator: ", ") + ".")
    }
    if isSnapshot {
      guard order == nil, vocabulary == nil, ids == nil else {
        throw ValidationError(
          "A snapshot has ids and frequencies, in the order of the ids. Leave out --order, "
            + "--vocabulary and --ids.")
      }
    } else if encoding != nil || noSlots || since != nil {
      throw ValidationError(
        "--encoding, --no-slots and --since are for snapshots. Name the file something.embsnap, or add "
          + "--format snapshot.")
    }
  }

  /// Whether a snapshot is to be written.
  private var isSnapshot: Bool {
    format.map { $0 == .snapshot } ?? file.hasSuffix(FileKind.snapshotEnding)
  }

  func run() throws {
    let store = try database.openForReading()
    let source = try table.open(in: store)
    if isSnapshot { return try exportSnapshot(of: source) }
    let bar = ProgressBar("exporting \(source.name)", isQuiet: progress.quiet)
    let options = FileExportOptions(
      format: format?.exchange, order: order ?? .row, vocabularyPath: vocabulary, idsPath: ids,
      tensorName: tensor)
    let written = [file, vocabulary, ids].compactMap { $0 }
    let summary = try Interruption.during(
      "nothing was written", cleanUp: { removeTemporaries(beside: written) }
    ) { () throws(EmbeddingError) in
      defer { bar.finish() }
      return try source.exportFile(file, options) { bar.update($0) }
    }
    let commit = summary.commit ?? CommitPoint()
    let text =
      "Exported \(counted(summary.rows, "row")) of table \(source.name), as of \(commit), to "
      + "\(file == "-" ? "standard output" : file) (\(summary.format))."
    let json = JSON.object([
      ("table", .string(source.name)), ("file", .string(file)),
      ("format", .string(summary.format.rawValue)), ("rows", .integer(summary.rows)),
      ("step", .integer(commit.step)), ("batches", .unsigned(commit.batches)),
    ])
    try tell(text, json)
  }

  private func exportSnapshot(of source: EmbeddingTable) throws {
    let bar = ProgressBar("exporting \(source.name)", isQuiet: progress.quiet)
    let options = try snapshotOptions()
    let files = [file]
    let summary = try Interruption.during(
      "nothing was written", cleanUp: { removeTemporaries(beside: files) }
    ) { () throws(EmbeddingError) in
      defer { bar.finish() }
      return try source.exportSnapshot(file, options) { bar.update($0) }
    }
    let (snapshot, written) = (summary.description, summary.file)
    var text = "Exported \(counted(written.rowCount, "row"))"
    var members: [(String, JSON)] = []
    if let base = snapshot.base {
      text += " and \(counted(written.deletionCount, "deleted id")) of table \(source.name), from "
      text += "\(base.point) to \(snapshot.point)"
      members.append(("deletions", .unsigned(written.deletionCount)))
      members.append(("base", base.json))
    } else {
      text += " of table \(source.name), as of \(snapshot.point)"
    }
    try tell(
      "\(text), to \(file == "-" ? "standard output" : file) "
        + "(\(snapshot.isDelta ? "delta" : "snapshot"), \(snapshot.encoding), "
        + "\(byteText(written.byteCount))).",
      .object(
        [
          ("table", .string(source.name)), ("file", .string(file)),
          ("format", .string("snapshot")), ("rows", .unsigned(written.rowCount)),
          ("step", .integer(snapshot.point.step)), ("batches", .unsigned(snapshot.point.batches)),
          ("identity", .string(snapshot.identity.description)),
          ("encoding", .string(snapshot.encoding.description)),
          ("bytes", .unsigned(written.byteCount)),
        ] + members))
  }

  /// A delta is stored as its base is, where that is a file.
  private func snapshotOptions() throws(EmbeddingError) -> SnapshotExportOptions {
    var options = SnapshotExportOptions(encoding: encoding ?? .float32, includesSlots: !noSlots)
    guard let since else { return options }
    if let step = Int64(since) {
      options.since = .step(step)
    } else {
      let base = try inspectSnapshot(since)
      options.since = .snapshot(since)
      options.encoding = encoding ?? base.encoding
      options.includesSlots = base.includesSlots && !noSlots
    }
    return options
  }

  private func tell(_ text: String, _ json: JSON) throws {
    if file == "-" {
      // Standard output is the file.
      if output.json || !progress.quiet { complain(output.json ? json.description : text) }
    } else {
      try report(text, json, asJSON: output.json)
    }
  }
}

/// Removes what a half-finished export left beside its files. Formats of several files write
/// others beside the one named, with names that begin as it does.
func removeTemporaries(beside files: [String]) {
  for file in files where file != "-" {
    let slash = file.utf8.lastIndex(of: UInt8(ascii: "/"))
    let folder = slash.map { $0 == file.startIndex ? "/" : String(file[..<$0]) } ?? "."
    var name = baseName(file)
    if let dot = name.lastIndex(of: "."), dot != name.startIndex { name = String(name[..<dot]) }
    for ending in ["-keys", "-values"] where name.hasSuffix(ending) {
      name.removeLast(ending.count)
    }
    removeFiles(in: folder, prefix: ".\(name)", containing: ".\(getpid())-")
  }
}
