import LMDB
import StorageBase
import TestSupport

@testable import Embeddings

extension AdmissionFilter {
  /// The whole state in memory, to be compared.
  var contents: FilterContents {
    var contents = FilterContents()
    for i in 0..<FilterStripe.count {
      if let table = stripe(i).pointee.table {
        contents.counts.append(stripe(i).pointee.counts)
        table.forEach { contents.entries[$0] = $1 }
      }
      for number in 0..<layerCount {
        let layer = layer(number)
        contents.counts.append(layer.counts(i).pointee)
        contents.cells += UnsafeRawBufferPointer(
          start: layer.block(i, 0), count: layer.shape.stripeBytes)
      }
    }
    return contents
  }
}

struct FilterContents: Equatable {
  var counts: [FilterCounts] = []
  var cells: [UInt8] = []
  var entries: [UInt64: UInt32] = [:]
}

/// An environment with one tree for a filter's state.
struct FilterTree {
  let directory = TemporaryDirectory()
  let environment: Environment
  let tree: NamedDatabase

  init() throws {
    environment = try Environment(
      path: directory.path + "/filter",
      options: Environment.Options(mapSize: 1 << 30, maxNamedDatabases: 4, durability: .noSync))
    tree = try environment.namedDatabase("state.1", integerKeys: true, create: true)!
  }

  func commit(_ filter: AdmissionFilter, generation: UInt64) throws {
    try environment.write { (transaction) throws(EmbeddingError) in
      try filter.write(generation: generation, in: transaction, tree: tree)
    }
  }

  /// Writes a commit, and undoes it: what a transaction does that has to begin anew.
  func commitInVain(_ filter: AdmissionFilter, generation: UInt64) {
    _ = try? environment.write { (transaction) throws(EmbeddingError) -> Void in
      try filter.write(generation: generation, in: transaction, tree: tree)
      throw EmbeddingError(.cancelled, "on purpose")
    }
  }

  func load(_ admission: Admission) throws -> AdmissionFilter? {
    try environment.read { (transaction) throws(EmbeddingError) in
      try AdmissionFilter(load: admission, from: tree, in: transaction)
    }
  }

  func chunks() throws -> [[UInt8]] {
    try environment.read { (transaction) throws(EmbeddingError) -> [[UInt8]] in
      var chunks: [[UInt8]] = []
      try AdmissionState.forEachChunk(of: tree, in: transaction) {
        (chunk) throws(EmbeddingError) in chunks.append(Array(chunk))
      }
      return chunks
    }
  }

  /// All keys, with the sizes of their values.
  func sizes() throws -> [(key: UInt64, count: Int)] {
    try environment.read { (transaction) throws(EmbeddingError) in
      try transaction.withCursor(tree) { (cursor) throws(EmbeddingError) in
        var sizes: [(key: UInt64, count: Int)] = []
        while let (key, value) = try cursor.next() { sizes.append((key, value.count)) }
        return sizes
      }
    }
  }
}
