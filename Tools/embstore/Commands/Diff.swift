import ArgumentParser
import Embeddings
import Glibc

/// Compares two snapshots or tables.
struct Diff: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare two snapshots or tables: ids that came and went, and how far vectors moved.",
    discussion: """
      Each side is a full snapshot, or a database, of which the last commit is read, whatever is \
      trained meanwhile. Vectors are compared bit for bit, and their distance is Euclidean; each bar of the histogram \
      reaches up to twice the distance at which it begins. Slots and frequencies are not compared. \
      Memory is that of a few blocks. The exit code is 0 whether the snapshots differ or not.

      With --json: first and second with snapshot, table, identity, step, batches; added, removed, \
      moved, unmoved, mean_distance, histogram (from, rows), farthest (id, distance).

      EXAMPLES:
        embstore diff monday.embsnap tuesday.embsnap
        embstore diff monday.embsnap tuesday.embsnap --count 100 --json
        embstore diff monday.embsnap words.emb --table words
      """)

  @Argument(help: "The earlier snapshot, or a database.", completion: .file())
  var first: String
  @Argument(help: "The later snapshot, or a database.", completion: .file())
  var second: String
  @OptionGroup var table: TableOption
  @Flag(
    help: ArgumentHelp(
      "Accept a network file system, whose locks and maps cannot be trusted.", visibility: .hidden))
  var allowUnsafeFileSystem = false
  @Option(name: .shortAndLong, help: "How many of the rows that moved farthest to show.")
  var count = 10
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard (0...1_000_000).contains(count) else {
      throw ValidationError("--count is \(count); it must be from 0 to 1,000,000.")
    }
  }

  func run() throws {
    let found = try compareRows(side(first), side(second), farthest: count)
    if output.json { return try say(json(found).pretty) }
    var out = Output()
    let (one, other) = found.descriptions
    var summary = TextTable([("", .left), ("", .left)])
    summary.add(["first", "\(first): table \(one.table), as of \(one.point)"])
    summary.add(["second", "\(second): table \(other.table), as of \(other.point)"])
    summary.add(["added", grouped(found.added)])
    summary.add(["removed", grouped(found.removed)])
    summary.add(["unmoved", grouped(found.unmoved)])
    summary.add([
      "moved",
      grouped(found.moved)
        + (found.moved > 0 ? ", by \(fixed(found.meanDistance, 4)) in the mean" : ""),
    ])
    var lines = summary.takeLines(titled: false)
    if one.encoding != other.encoding {
      lines.append(
        "The vectors are stored as \(one.encoding) and \(other.encoding): they differ by what was "
          + "rounded, too.")
    }
    if found.moved > 0 {
      lines += ["", "distance"]
      let bins = found.histogram.map { (Float($0.lower).description, $0.count) }
      lines += bars(bins).map { "  " + $0 }
    }
    if !found.farthest.isEmpty {
      var farthest = TextTable([("moved farthest", .left), ("distance", .right)])
      for mover in found.farthest { farthest.add([mover.id.shown, fixed(mover.distance, 4)]) }
      lines += [""] + farthest.takeLines(titled: true)
    }
    for line in lines { try out.line(line) }
    try out.flush()
  }

  /// A directory is a database; all else is said of the file.
  private func side(_ path: String) throws(EmbeddingError) -> ComparedRows {
    var status = Glibc.stat()
    guard path != "-", stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      return .snapshot(path)
    }
    let store = try openDatabaseForReading(path, allowsUnsafeFileSystem: allowUnsafeFileSystem)
    return .table(try table.open(in: store))
  }

  private func json(_ found: SnapshotComparison) -> JSON {
    func side(_ path: String, _ snapshot: SnapshotDescription) -> JSON {
      .object([
        ("snapshot", .string(path)), ("table", .string(snapshot.table)),
        ("identity", .string(snapshot.identity.description)),
        ("step", .integer(snapshot.point.step)), ("batches", .unsigned(snapshot.point.batches)),
      ])
    }
    return .object([
      ("first", side(first, found.descriptions.first)),
      ("second", side(second, found.descriptions.second)),
      ("added", .integer(found.added)), ("removed", .integer(found.removed)),
      ("moved", .integer(found.moved)), ("unmoved", .integer(found.unmoved)),
      ("mean_distance", .double(found.meanDistance)),
      (
        "histogram",
        .array(
          found.histogram.map {
            .object([("from", .double($0.lower)), ("rows", .integer($0.count))])
          })
      ),
      (
        "farthest",
        .array(
          found.farthest.map { .object($0.id.members + [("distance", .double($0.distance))]) })
      ),
    ])
  }
}
