import Embeddings
import Foundation

/// All rows of a store in row order.
struct StoredRows: Equatable {
  var ids: [EmbeddingID] = []
  var bits: [UInt32] = []
  var frequencies: [UInt64] = []

  init(_ store: some EmbeddingStore) throws {
    var ids: [EmbeddingID] = []
    var bits: [UInt32] = []
    var frequencies: [UInt64] = []
    try store.forEachBatch(ofAtMost: 1000, includingSlots: false) {
      (batch) throws(EmbeddingError) -> Bool in
      for i in 0..<batch.count { ids.append(batch.ids[i]) }
      bits.append(contentsOf: batch.vectors.map(\.bitPattern))
      frequencies.append(contentsOf: batch.frequencies)
      return true
    }
    (self.ids, self.bits, self.frequencies) = (ids, bits, frequencies)
  }
}

enum FileFixtures {
  static let tests = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../..").standardizedFileURL
  static let exchange = tests.appending(path: "ExchangeTests/Fixtures")
  static let shared = tests.appending(path: "../../shared/data").standardizedFileURL

  static func path(_ name: String) -> String { exchange.appending(path: name).path }

  /// The plain files below `folder`, or none.
  static func files(_ folder: URL) -> [String] {
    let names = (try? FileManager.default.subpathsOfDirectory(atPath: folder.path)) ?? []
    return names.sorted().map { folder.appending(path: $0).path }.filter {
      var isDirectory: ObjCBool = false
      return FileManager.default.fileExists(atPath: $0, isDirectory: &isDirectory)
        && !isDirectory.boolValue
    }
  }

  /// The folders of embeddings of other projects beside the package, where they are there.
  static var sharedFolders: [String] {
    ["emb-finalfusion", "emb-gensim", "emb-glove50-slice"].filter {
      FileManager.default.fileExists(atPath: shared.appending(path: $0).path)
    }
  }
}

/// Opens a small database that syncs nothing.
func openDatabase(_ path: String, mapSize: Int? = nil) throws -> EmbeddingDatabase {
  try EmbeddingDatabase(
    at: path,
    options: EmbeddingDatabase.Options(
      cacheBudget: 4 << 20, durability: .noSync, mapSize: mapSize))
}

extension EmbeddingDatabase {
  /// A table of plain vectors.
  func plainTable(_ name: String, _ dimension: Int, _ idType: IDType) throws -> EmbeddingTable {
    try table(
      name, TableConfiguration(dimension: dimension, idType: idType, optimizer: .sgd()))
  }
}

/// The error that `body` throws, or nil.
func thrownError(_ body: () throws -> Void) -> EmbeddingError? {
  do {
    try body()
    return nil
  } catch { return error as? EmbeddingError }
}
