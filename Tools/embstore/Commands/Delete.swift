import ArgumentParser
import Embeddings

/// Deletes rows.
struct Delete: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Delete rows by id.",
    discussion: """
      The rows are gone for good, with their optimizer state and frequency; an id that comes back \
      starts anew. Ids without a row are passed over; if none has one, the exit code is 1. The \
      step of the database stays as it is.

      EXAMPLES:
        embstore delete words.emb king queen
        embstore delete model.emb --table users --from-file left.txt
        embstore dump words.emb --jsonl | jq -r 'select(.frequency < 2).id' \\
          | embstore delete words.emb --from-file -
      """)

  @OptionGroup var database: DatabaseArguments
  @Argument(help: "The ids.")
  var ids: [String] = []
  @Option(help: "A file of ids, one a line; '-' is standard input.", completion: .file())
  var fromFile: String?
  @OptionGroup var table: TableOption
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard !ids.isEmpty || fromFile != nil else {
      throw ValidationError("Name the ids to delete, or a file of them with --from-file.")
    }
  }

  func run() throws {
    // All ids are read before the first row is deleted, and before others are kept from writing.
    let lines = try fromFile.map(readLines) ?? []
    let store = try database.openForWriting()
    let target = try table.open(in: store)
    let point = try store.lastCommit
    guard point.batches == 0 else {
      throw EmbeddingError(
        .environmentInUse,
        "The database stands within a step (\(point)), where its trainer was interrupted. Let the "
          + "trainer finish the step and commit, then delete.")
    }
    var all = try parseIDs(ids, for: target)
    try append(lines, to: &all, for: target)
    let deleted = try Interruption.during("nothing was deleted") { () throws(EmbeddingError) in
      let deleted = try target.delete(all.batch)
      try store.commit(step: point.step)
      return deleted
    }
    let total = try target.count
    guard deleted > 0 || output.json else {
      throw EmbeddingError(
        .notFound, "Table \(target.name) has no row for any of these \(counted(all.count, "id")).")
    }
    try report(
      "Deleted \(counted(deleted, "row")) of table \(target.name); it has \(counted(total, "row")).",
      .object([
        ("table", .string(target.name)), ("asked", .integer(all.count)),
        ("deleted", .integer(deleted)), ("rows", .integer(total)),
      ]), asJSON: output.json)
    try store.close()
    if deleted == 0 { throw ExitCode(Exit.notFoundOrDamaged) }
  }

  private func append(
    _ lines: [[UInt8]], to ids: inout IDColumn, for table: EmbeddingTable
  ) throws(EmbeddingError) {
    for line in lines {
      ids.append(
        ids.type == .bytes
          ? .bytes(line) : try parseID(String(decoding: line, as: UTF8.self), for: table))
    }
  }
}

/// The lines of a file that are not empty.
private func readLines(_ path: String) throws(EmbeddingError) -> [[UInt8]] {
  let source = try ByteSource(path: path)
  var lines: [[UInt8]] = []
  while let line = try source.nextLine(maximum: 1 << 26, { (line) -> [UInt8] in Array(copying: line) })
  {
    if !line.isEmpty { lines.append(line) }
  }
  return lines
}

extension [UInt8] {
  /// The bytes of a span.
  fileprivate init(copying span: Span<UInt8>) {
    self = span.withUnsafeBufferPointer { Array($0) }
  }
}
