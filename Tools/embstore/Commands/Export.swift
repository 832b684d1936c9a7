import ArgumentParser
import Embeddings
import Glibc

/// Writes a table to a file.
struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a table to a file that other software reads.",
    discussion: """
      Writes the last commit, whatever is trained meanwhile. The file appears whole or not at all. \
      Vectors are exact, in text too. The name tells the format: .txt (word2vec text), .bin \
      (word2vec binary), .vec (fastText), .glove, .npy, .safetensors, NAME-keys (TFRA). '-' is \
      standard output, and needs --format.

      EXAMPLES:
        embstore export words.emb words.txt --order frequency
        embstore export words.emb words.bin --vocabulary words.vocab
        embstore export words.emb words.safetensors
        embstore export words.emb - --format glove | zstd > words.txt.zst
      """)

  @OptionGroup var database: DatabaseArguments
  @Argument(help: "The file; '-' is standard output.", completion: .file())
  var file: String
  @OptionGroup var table: TableOption
  @Option(help: "The format, where the name does not tell.")
  var format: FileFormat?
  @Option(help: "The order of rows: row (of first sight) or frequency (falling).")
  var order: FileExportOptions.Order = .row
  @Option(help: "For words: a file for 'word count' lines.", completion: .file())
  var vocabulary: String?
  @Option(help: "For npy: the file for the ids.", completion: .file())
  var ids: String?
  @Option(help: "For safetensors: the name of the tensor with the vectors.")
  var tensor = "embeddings"
  @OptionGroup var output: OutputOptions
  @OptionGroup var progress: ProgressOptions

  func run() throws {
    guard file != "-" || format != nil else {
      throw ValidationError(
        "Standard output has no name that tells a format. Add --format, one of "
          + FileFormat.allCases.map(\.rawValue).joined(separator: ", ") + ".")
    }
    let store = try database.openForReading()
    let source = try table.open(in: store)
    let bar = ProgressBar("exporting \(source.name)", isQuiet: progress.quiet)
    let options = FileExportOptions(
      format: format, order: order, vocabularyPath: vocabulary, idsPath: ids, tensorName: tensor)
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
private func removeTemporaries(beside files: [String]) {
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
