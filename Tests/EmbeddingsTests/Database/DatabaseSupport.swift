import TestSupport

@testable import Embeddings

/// A database of its own directory, as most tests want it.
struct Scratch {
  let directory = TemporaryDirectory()
  var path: String { directory.path + "/db" }

  func open(
    budget: Int = 64 << 20, mapSize: Int? = nil, durability: Durability = .noSync,
    leavesBlocksToLMDB: Bool = false
  ) throws(EmbeddingError) -> EmbeddingDatabase {
    var options = EmbeddingDatabase.Options(
      cacheBudget: budget, durability: durability, mapSize: mapSize, scratchLimit: 0)
    options.leavesBlocksToLMDB = leavesBlocksToLMDB
    return try EmbeddingDatabase(at: path, options: options)
  }
}

/// A table of Int64 ids whose gradients are simply subtracted.
let plain = TableConfiguration(
  dimension: 4, idType: .int64, initializer: .zeros, optimizer: .sgd(learningRate: 1))

/// The message of the error that `body` throws.
func message(_ body: () throws -> Void) -> String {
  do {
    try body()
    return ""
  } catch { return "\(error)" }
}

extension EmbeddingTable {
  /// Sets every float of rows `ids` to `value`.
  func set(_ ids: some Sequence<Int64>, to value: Float, step: Int64 = 0) throws(EmbeddingError) {
    let column = IDColumn(Array(ids))
    let count = column.count * configuration.dimension
    try assign(column, vectors: [Float](repeating: value, count: count), step: step)
  }

  /// The first float of a row.
  func value(_ id: Int64) throws(EmbeddingError) -> Float { try lookup(IDColumn([id]))[0] }
}
