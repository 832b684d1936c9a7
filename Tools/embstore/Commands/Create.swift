import ArgumentParser
import Embeddings

/// Makes a table, and the database where there is none.
struct Create: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make an empty table; also the database, where there is none.",
    discussion: """
      Name and configuration identify a table: a trainer opens it with the same values. To fill a \
      table from a file, 'embstore import --create' makes one that fits.

      EXAMPLES:
        embstore create model.emb users --dimension 64 --id-type int64
        embstore create model.emb words --dimension 50 --optimizer adam --learning-rate 0.01
        embstore create model.emb items --dimension 32 --initializer normal:0,0.02 --seed 7
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
  @OptionGroup var output: OutputOptions

  func run() throws {
    let configuration = TableConfiguration(
      dimension: dimension, idType: idType, initializer: start.initializer, seed: start.seed,
      optimizer: try training.make())
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
    let made = try store.table(table, configuration)
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
    ])
  }
}
