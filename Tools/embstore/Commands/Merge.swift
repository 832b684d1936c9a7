import ArgumentParser
import Embeddings
import Glibc

/// Applies deltas to a snapshot.
struct Merge: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Apply deltas to a snapshot, and write the snapshot that they lead to.",
    discussion: """
      The deltas are given in their order; each must apply to the state that the one before it leads \
      to, and what does not is refused. No database is needed, and memory is that of a few blocks. \
      The result appears whole or not at all.

      With --json: file, table, base, applied, notes, rows, bytes, identity, step, batches.

      EXAMPLES:
        embstore merge monday.embsnap tuesday.delta wednesday.delta -o new.embsnap
      """)

  @Argument(help: "A full snapshot.", completion: .file())
  var base: String
  @Argument(help: "Deltas, in their order.", completion: .file())
  var deltas: [String]
  @Option(name: .shortAndLong, help: "The snapshot to write.", completion: .file())
  var output: String
  @OptionGroup var options: OutputOptions

  func run() throws {
    let files = [output]
    let merged = try Interruption.during(
      "nothing was written", cleanUp: { removeTemporaries(beside: files) }
    ) { () throws(EmbeddingError) in try mergeSnapshots(base, deltas, into: output) }
    for note in merged.notes where !options.json { complain("note: \(note)") }
    let (snapshot, summary) = (merged.description, merged.summary)
    try report(
      "Merged \(counted(merged.applied.count, "delta")) into \(base): "
        + "\(counted(summary.rowCount, "row")) of table \(snapshot.table), as of \(snapshot.point), "
        + "in \(output) (\(byteText(summary.byteCount))).",
      .object([
        ("file", .string(output)), ("table", .string(snapshot.table)), ("base", .string(base)),
        ("applied", .array(merged.applied.map(JSON.string))),
        ("notes", .array(merged.notes.map(JSON.string))), ("rows", .unsigned(summary.rowCount)),
        ("bytes", .unsigned(summary.byteCount)),
        ("identity", .string(snapshot.identity.description)),
        ("step", .integer(snapshot.point.step)), ("batches", .unsigned(snapshot.point.batches)),
      ]), asJSON: options.json)
  }
}
