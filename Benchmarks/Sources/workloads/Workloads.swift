import ArgumentParser
import Embeddings
import Machine
import WorkloadData

/// What can be measured.
enum Workload: String, CaseIterable, ExpressibleByArgument {
  case w1, w2, w3, w4
  case w6Lookup = "w6-lookup"
  case w6Train = "w6-train"
  /// What admission and probation cost.
  case admission
}

@main
struct Workloads: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures an embedding database on defined workloads, and checks what it answered.",
    discussion: """
      One line of JSON for each result. Tables that w1, w2 and w6-lookup read are built once below \
      --path and used again; w3, w4, w6-train and admission start from nothing.

        swift run -c release workloads --workload w1 --threads 1 --path /tmp/workloads
      """)

  @Option(
    help: "What to measure, separated by commas: w1, w2, w3, w4, w6-lookup, w6-train, admission.")
  var workload = "w1,w2,w3"
  @OptionGroup var options: RunOptions
  @Flag(help: "Only check the generators against their checksums.") var checkGenerators = false

  func run() throws {
    if checkGenerators { return try Self.checkGenerators() }
    let workloads = try workload.split(separator: ",").map { name in
      guard let workload = Workload(rawValue: String(name)) else {
        throw ValidationError(
          "There is no workload \(name); there are "
            + Workload.allCases.map(\.rawValue).joined(separator: ", ") + ".")
      }
      return workload
    }
    makeDirectory(options.path)
    for workload in workloads {
      switch workload {
      case .w1, .w6Lookup: try HotLookup(workload, options).run()
      case .w2: try WarmLookup(options).run()
      case .w3, .w6Train: try Training(workload, options).run()
      case .w4: try BulkLoad(options).run()
      case .admission: try AdmissionCost(options).run()
      }
    }
  }

  private static func checkGenerators() throws {
    // The streams check themselves.
    for stream in [IDStream.w1, .w2, .w3] { _ = stream.ids() }
    TrainingData.noise(batchSize: 8_192, dimension: 64).deallocate()
    precondition(
      (0..<3).map { int64Key($0) } == [
        -2_152_535_657_050_944_081, -7_995_527_694_508_729_151, -7_541_218_347_953_203_506,
      ], "the keys differ from their definition")
    let checksum = TableValues(dimension: 64).checksum(rows: 5_000_000)
    precondition(
      checksum == TableValues.checksumOf5MillionRows, "the rows differ from their definition")
    print("All generators make what is defined.")
  }
}

/// What every workload can be told.
struct RunOptions: ParsableArguments {
  @Option(help: "A directory for databases.") var path: String
  @Option(help: "1, or 2: each batch split in halves by one caller.") var threads = 1
  @Option(help: "Floats in a vector, an even number.") var dimension = 64
  @Option(help: "Ids in a batch.") var batch = 8_192
  @Option(help: "The exponent of Zipf-distributed ids; 0 draws uniformly.") var exponent: Double?
  @Option(help: "Rows that ids are drawn from.") var rows: Int?
  @Option(help: "Batches of w1, w2 and w6-lookup, steps of w3 and w6-train.") var steps: Int?
  @Option(help: "The cache budget in bytes: w2's is a tenth of the table, others' hold all.")
  var budget: Int?
  @Option(
    help: ArgumentHelp(
      "Bytes of disk for changed rows that find no room in the budget, in w3 and w6-train.",
      discussion: "Four times the budget, as by default, unless it is given; 0 for none."))
  var scratch: Int?
  @Option(help: "Steps between commits in w3 and w6-train; 0 leaves them to the database.")
  var commitEvery = 50
  @Flag(help: "Training waits for each commit, instead of going on while it is written.")
  var waitForCommits = false
  @Flag(help: "Training asks for the rows of the next step ahead of its turn.")
  var prefetch = false
  @Flag(help: "Training begins in the middle, with nothing of its file in memory.")
  var cold = false
  @Option(help: "Timed passes of lookups.") var passes = 5
  @Flag(help: "Look every row of the table up once before, in w1 and w6-lookup.") var warmAll =
    false

  func validate() throws {
    guard threads == 1 || threads == 2 else { throw ValidationError("--threads is 1 or 2.") }
    guard dimension > 0 && dimension % 2 == 0 else {
      throw ValidationError("--dimension is an even number above 0.")
    }
    guard batch > 0, rows ?? 1 > 0, steps ?? 1 > 0, passes > 0 else {
      throw ValidationError("--batch, --rows, --steps and --passes are above 0.")
    }
  }

  /// A stream, changed as the options say.
  func applied(to stream: IDStream) -> IDStream {
    var stream = stream
    stream.batchSize = batch
    if let rows { stream.rows = rows }
    if let steps { stream.batches = steps }
    if let exponent {
      stream.distribution = exponent == 0 ? .uniform : .zipf(exponent: exponent)
    }
    return stream
  }
}

extension ResultLine {
  /// Adds what was asked for.
  mutating func describe(_ stream: IDStream, dimension: Int, budget: Int) {
    self["rows"] = stream.rows
    self["dimension"] = dimension
    self["batch"] = stream.batchSize
    self["batches"] = stream.batches
    if case .zipf(let exponent) = stream.distribution {
      self["zipf_exponent"] = exponent
    } else {
      self["zipf_exponent"] = 0
    }
    self["budget_bytes"] = budget
  }
}
