import ArgumentParser
import Embeddings
import Machine
import WorkloadData

@main
struct Snapshots: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures snapshots: export, import, opening, lookups.",
    discussion: """
      One line of JSON for each result. The table is trained once below --path and used again; its \
      columns lie beside it as plain files, for the programs that are compared.

        swift run -c release snapshots --path /tmp/snapshots
      """)

  @Option(help: "A directory for the table and all files; 6 GB of room.") var path: String
  @Option(help: "Rows of the table.") var rows = 2_000_000
  @Option(help: "Floats in a vector, an even number.") var dimension = 64
  @Option(help: "Steps of training after the one that makes all rows.") var steps = 1_000
  @Option(help: "Timed passes; the median counts.") var passes = 3
  @Option(help: "Batches of lookups in a pass.") var batches = 64
  @Option(help: "Ids in a batch.") var batch = 8_192
  @Option(help: "Cache budgets in MiB, separated by commas.") var budgets = "64,256,1024"
  @Option(help: "What to measure: export, export-file, export-null, import, open, lookup, table.")
  var measure = "export,import,open,lookup,table"

  func run() throws {
    makeDirectory(path)
    let table = TrainedTable(self)
    try table.prepare()
    for name in measure.split(separator: ",") {
      switch name {
      case "export": try Exports(self).run(["file", "null"])
      case "export-file": try Exports(self).run(["file"])
      case "export-null": try Exports(self).run(["null"])
      case "import": try Imports(self).run()
      case "open": try Openings(self).run()
      case "lookup": try Lookups(self).run()
      case "table": try Lookups(self).runOnTable()
      default: throw ValidationError("There is nothing named \(name) to measure.")
      }
    }
  }

  var database: String { path + "/table" }
  var snapshot: String { path + "/rows.embsnap" }

  /// The ids that lookups ask for: present ones, each alike.
  var stream: IDStream {
    IDStream(
      stream: 2, batches: batches, batchSize: batch, rows: rows, distribution: .uniform)
  }
}
