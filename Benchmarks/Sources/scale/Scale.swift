import ArgumentParser
import Embeddings
import Machine

@main
struct Scale: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trains a table that is larger than its cache budget, and reports what it takes.",
    discussion: """
      First every row is trained once, in random order of its ids, so that all rows exist; then \
      batches of Zipf-distributed ids follow. Each line is a JSON object: rows a second, commits and \
      their duration, anonymous and file-backed resident memory, the size of the file.

        swift run -c release scale --path /tmp/scale.embeddings --rows 10000000
      """)

  @Option(help: "The database's directory; must not exist.") var path: String
  @Option(help: "Rows of the table.") var rows = 10_000_000
  @Option(help: "Floats in a vector; Adagrad doubles them.") var dimension = 64
  @Option(help: "The cache budget in MiB.") var budget = 512
  @Option(help: "Ids in a batch.") var batch = 8_192
  @Option(help: "Zipf steps after every row has been trained once.") var steps = 2_000
  @Option(help: "Steps between explicit commits; 0: by the store itself.") var commitEvery = 50
  @Option(help: "Steps between two lines.") var reportEvery = 100
  @Option(help: "The exponent of the Zipf distribution.") var exponent = 1.05
  @Option(help: "The seed of the ids.") var seed: UInt64 = 3

  func run() throws {
    guard !fileExists(path) else {
      throw ValidationError("\(path) exists; name a directory that does not, or remove it.")
    }
    let configuration = TableConfiguration(
      dimension: dimension, idType: .int64, optimizer: .adagrad(learningRate: 0.05))
    var run = try TrainingRun(
      batch: batch, dimension: dimension, commitEvery: commitEvery, reportEvery: reportEvery
    ) {
      let database = try EmbeddingDatabase(at: path, options: .init(cacheBudget: budget << 20))
      return (database, try database.table("rows", configuration))
    }

    var next = 0
    try run.phase("first sight", steps: (rows + batch - 1) / batch) { ids in
      for i in ids.indices {
        ids[i] = key(UInt64(next % rows))
        next += 1
      }
    }
    var zipf = Zipf(count: rows, exponent: exponent, seed: seed)
    try run.phase("zipf", steps: steps) { ids in
      for i in ids.indices {
        // Spread the ranks over the table, as ids that were first seen at any time.
        let rank = zipf.next()
        ids[i] = key(UInt64((2_654_435_761 &* rank &+ 12_345) % rows))
      }
    }
    try run.finish()
  }
}

/// A bijection from row numbers to ids.
func key(_ row: UInt64) -> Int64 {
  var z = row &+ 0x9E37_79B9_7F4A_7C15
  z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
  z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
  return Int64(bitPattern: z ^ (z >> 31))
}
