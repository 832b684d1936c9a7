import Embeddings
import Machine

/// A model and its data, split and ordered by a seed.
protocol Experiment: Sendable {
  /// What results are filed under.
  var name: String { get }
  /// The distinct ids that the training data have for each of `tables`.
  var idCount: Int { get }
  /// The tables whose configuration varies.
  var tables: [String] { get }
  /// What is compared.
  var variants: [Variant] { get }

  /// Trains from an empty database, and commits.
  func train(_ database: EmbeddingDatabase, _ variant: Variant) throws(EmbeddingError)

  /// The quality on held-out data, by name.
  func evaluate(
    _ database: EmbeddingDatabase
  ) throws(EmbeddingError) -> [(name: String, value: Double)]
}

/// What became of a variant.
struct Outcome {
  /// Rows of the varied tables in the last commit, without the shared ones.
  var rows = 0
  var sharedRows = 0
  /// Bytes of the pages that hold the rows and the way to them.
  var rowBytes = 0
  var sharedBytes = 0
  /// Bytes of the pages that hold the state of the filters, and what deltas need.
  var stateBytes = 0
  /// Bytes of the whole database, compacted.
  var fileBytes = 0
  /// Seconds of training, commits included; and of processor time.
  var seconds = 0.0
  var processorSeconds = 0.0
  /// The quality in the process that trained, rows on probation included.
  var live: [(name: String, value: Double)] = []
  /// The quality after opening the database anew: what a server reads.
  var stored: [(name: String, value: Double)] = []
}

extension Experiment {
  /// Trains and measures one variant in a database of its own.
  func run(_ variant: Variant, in directory: String) throws(EmbeddingError) -> Outcome {
    let (path, copy) = (directory + "/database", directory + "/compacted")
    removeDatabase(path)
    removeDatabase(copy)
    defer {
      removeDatabase(path)
      removeDatabase(copy)
    }
    var outcome = Outcome()
    // Room for all rows: nothing on probation is forgotten for want of memory.
    let database = try EmbeddingDatabase(
      at: path, options: .init(cacheBudget: 256 << 20, durability: .noSync))
    let start = (seconds(), processorSeconds())
    try train(database, variant)
    outcome.seconds = seconds() - start.0
    outcome.processorSeconds = processorSeconds() - start.1
    outcome.live = try evaluate(database)
    for table in try database.statistics().tables {
      if tables.contains(table.name) {
        outcome.rows += table.rows
        outcome.rowBytes += table.idBytes + table.blockBytes
        outcome.stateBytes += table.stateBytes
      } else if tables.contains(where: { table.name == $0 + "/shared" }) {
        outcome.sharedRows += table.rows
        outcome.sharedBytes += table.bytesOnDisk
      }
    }
    try database.compact(to: copy)
    outcome.fileBytes = fileSize(copy + "/data.mdb")
    try database.close()
    let reopened = try EmbeddingDatabase(at: path, options: .readOnly)
    outcome.stored = try evaluate(reopened)
    try reopened.close()
    return outcome
  }
}
