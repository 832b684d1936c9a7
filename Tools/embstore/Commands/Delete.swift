import ArgumentParser
import Embeddings

/// Deletes rows.
struct Delete: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Delete rows by id.",
    discussion: """
      The rows are gone for good, with their optimizer state and frequency; an id that comes back \
      starts anew. More than some 64 MiB of rows are deleted in several commits. Ids without a row are passed over; if none has one, the exit code is 1. The \
      step of the database stays as it is.

      With --json: table, asked, deleted, and rows, the table's count afterwards.

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
    let all = try parse(lines, for: target)
    let portion = portionSize(target.configuration)
    let isPortioned = all.count > portion
    let deleted = try Interruption.during(
      isPortioned
        ? "a part of the rows was deleted; run it again for the rest" : "nothing was deleted"
    ) { () throws(EmbeddingError) in
      var deleted = 0
      for start in stride(from: 0, to: all.count, by: portion) {
        let ids = IDColumn(
          Array(all[start..<min(start + portion, all.count)]), type: target.configuration.idType)
        deleted += try target.delete(ids.batch)
        // The database stays at its step; within one, what is deleted counts as a batch.
        if point.batches == 0 { try store.commit(step: point.step) } else { try store.commit() }
      }
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

  /// The ids of the command line and of the file.
  private func parse(
    _ lines: [[UInt8]], for table: EmbeddingTable
  ) throws(EmbeddingError) -> [EmbeddingID] {
    var all: [EmbeddingID] = []
    for word in ids { all.append(try parseID(word, for: .table(table))) }
    for line in lines {
      switch table.configuration.idType {
      case .bytes: all.append(.bytes(line))
      case .int64:
        all.append(try parseID(String(decoding: line, as: UTF8.self), for: .table(table)))
      }
    }
    return all
  }

  /// Rows deleted in one commit: so few that the database need not commit by itself in between,
  /// which would leave it within a step if it were interrupted there.
  private func portionSize(_ configuration: TableConfiguration) -> Int {
    let rowBytes = 4 * (configuration.dimension + configuration.slotCount) + 128
    return max(1, (64 << 20) / rowBytes)
  }
}

/// The lines of a file that are not empty.
private func readLines(_ path: String) throws(EmbeddingError) -> [[UInt8]] {
  let source = try ByteSource(path: path)
  var lines: [[UInt8]] = []
  while let line = try source.nextLine(
    maximum: 1 << 26, { (line) -> [UInt8] in Array(copying: line) })
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
