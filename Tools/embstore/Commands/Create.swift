import ArgumentParser
import Embeddings

/// Makes a table, and the database where there is none.
struct Create: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make an empty table; also the database, where there is none.",
    discussion: """
      Name and configuration identify a table: a trainer opens it with the same values. To fill a \
      table from a file, 'embstore import --create' makes one that fits.

      An id can be made to earn its row: --admission counts ids before they get one, --cutoff keeps \
      rows in memory until they were seen often enough, --shared-rows lets ids without a row share \
      some. Which to take: see the article "Choosing admission" of the documentation. Rows can \
      go by themselves, with --evict-every.

      A configuration file has the same options, one a line, as 'dimension = 64'; those of the \
      command line win.

      With --json: database, table, configuration.

      EXAMPLES:
        embstore create model.emb users --dimension 64 --id-type int64
        embstore create model.emb words -d 50 --optimizer adam --learning-rate 0.01
        embstore create model.emb items -d 32 --initializer normal:0,0.02 --seed 7
        embstore create ads.emb ids -d 16 --admission counting-bloom:5,100000000
        embstore create ads.emb users -d 32 --evict-every 10000 --older-than 1000000
        embstore create ads.emb queries --config queries.conf --cutoff 3
      """)

  @OptionGroup var database: DatabaseArguments
  @Argument(help: "The table's name.")
  var table: String
  @Option(name: .shortAndLong, help: "Floats in each vector.")
  var dimension: Int
  @Option(help: "What ids are: bytes (words, any strings) or int64.")
  var idType: IDType = .bytes
  @OptionGroup var start: InitializerArguments
  @OptionGroup(title: "Optimizer") var training: OptimizerArguments
  @OptionGroup(title: "The life of an id") var life: AdmissionArguments
  @OptionGroup(title: "Eviction") var eviction: PolicyArguments
  @Option(help: "Read options from a file, one a line.", completion: .file())
  var config: String?
  @OptionGroup var output: OutputOptions

  func validate() throws { _ = try training.make() }

  func run() throws {
    var configuration = TableConfiguration(
      dimension: dimension, idType: idType, initializer: start.initializer, seed: start.seed,
      optimizer: try training.make())
    life.apply(to: &configuration)
    configuration.eviction = eviction.policy
    // Before the database is made for its sake.
    try configuration.check(name: table)
    let isNew = !database.exists
    let store = try database.openForWriting(creating: true)
    guard try !store.tableNames.contains(table) else {
      throw EmbeddingError(
        .alreadyExists,
        "The database \(store.path) has a table \(table) already. Choose another name, or see it "
          + "with 'embstore stat'.")
    }
    let made: EmbeddingTable
    do throws(EmbeddingError) {
      made = try store.table(table, configuration)
    } catch {
      try? store.close()
      if isNew { removal(of: store.path)() }
      throw error
    }
    let text = "Created table \(table) in \(isNew ? "the new database " : "")\(store.path): "
    try report(
      text + configuration.shown + ".",
      .object([
        ("database", .string(store.path)), ("table", .string(made.name)),
        ("configuration", configuration.json),
      ]), asJSON: output.json)
    try store.close()
  }
}

extension TableConfiguration {
  /// Throws what opening a table of this name and configuration would.
  func check(name: String) throws(EmbeddingError) {
    guard (1...255).contains(name.utf8.count) else {
      throw EmbeddingError(
        .invalidArgument, "A table's name has 1 to 255 bytes; this has \(name.utf8.count).")
    }
    guard (1...Self.maximumDimension).contains(dimension) else {
      throw EmbeddingError(
        .invalidArgument,
        "The dimension is \(dimension); it must be from 1 to \(Self.maximumDimension).")
    }
  }

  /// Such as `dimension 50, bytes ids, uniform(...) of seed 0, adagrad(...)`.
  var shown: String {
    "dimension \(dimension), \(idType) ids, \(initializer) of seed \(seed), \(optimizer.shown)"
      + (admitsOnlySome ? ", \(shownLife)" : "")
  }

  /// Such as `admission counter(threshold: 3), cutoff 5, 100 shared rows`.
  var shownLife: String {
    var parts: [String] = []
    if admission != .none { parts.append("admission \(admission.summary)") }
    if cutoff > 1 { parts.append("cutoff \(cutoff)") }
    if sharedRows > 0 { parts.append(counted(sharedRows, "shared row")) }
    return parts.joined(separator: ", ")
  }

  /// The configuration for programs.
  var json: JSON {
    func members(_ parameters: [Hyperparameter]) -> [(String, JSON)] {
      parameters.map { ($0.name, .float($0.value)) }
    }
    return .object([
      ("dimension", .integer(dimension)), ("id_type", .string(idType.description)),
      ("slots_per_row", .integer(slotCount)), ("seed", .unsigned(seed)),
      (
        "initializer",
        .object([("name", .string(initializer.name))] + members(initializer.parameters))
      ),
      (
        "optimizer",
        .object(
          [("name", .string(optimizer.name)), ("learningRate", .float(optimizer.learningRate))]
            + members(optimizer.hyperparameters))
      ),
      ("admission", .string(admission.summary)), ("cutoff", .unsigned(cutoff)),
      ("shared_rows", .integer(sharedRows)),
      ("counting", .string(counting.defaultValueDescription)),
    ])
  }
}
