import Embeddings
import TestSupport
import Testing

/// The backends that pass the contract, each with both types of ids.
enum Backend: String, CaseIterable, Sendable {
  case table
  /// A table whose cache holds a few dozen rows, so that most are read from the last commit.
  case tinyCache
  case memory

  /// An empty store; it lives as long as `directory`.
  func make(
    _ configuration: TableConfiguration, in directory: TemporaryDirectory
  ) throws -> any EmbeddingStore {
    switch self {
    case .memory: return try MemoryEmbeddingStore(configuration)
    case .table, .tinyCache:
      let options = EmbeddingDatabase.Options(
        cacheBudget: self == .table ? 256 << 20 : 0, durability: .noSync)
      let database = try EmbeddingDatabase(at: directory.path + "/db", options: options)
      return try database.table("table", configuration)
    }
  }

  /// Sampling and export see the last commit.
  func commit(_ store: any EmbeddingStore, step: Int64 = 1_000) throws {
    try (store as? EmbeddingTable)?.database.commit(step: step)
  }
}

/// A backend, a type of ids, and a reference to compare with.
struct Contract: CustomTestStringConvertible, Sendable {
  let backend: Backend
  let idType: IDType

  var testDescription: String { "\(backend.rawValue), \(idType)" }

  static let all = Backend.allCases.flatMap { backend in
    [IDType.int64, .bytes].map { Contract(backend: backend, idType: $0) }
  }

  /// A table of `dimension` floats, trained by Adagrad.
  func configuration(
    _ dimension: Int = 3, optimizer: any Optimizer = .adagrad(learningRate: 0.1)
  ) -> TableConfiguration {
    TableConfiguration(dimension: dimension, idType: idType, seed: 11, optimizer: optimizer)
  }

  /// Id `number` of the type under test.
  func id(_ number: Int) -> EmbeddingID {
    idType == .int64 ? .int64(Int64(number)) : EmbeddingID("id \(number)")
  }

  func ids(_ numbers: some Sequence<Int>) -> [EmbeddingID] { numbers.map(id) }

  func column(_ ids: [EmbeddingID]) -> IDColumn { IDColumn(ids, type: idType) }

  func column(_ numbers: some Sequence<Int>) -> IDColumn { column(ids(numbers)) }
}

/// A store and the reference beside it.
final class Pair {
  let contract: Contract
  let directory = TemporaryDirectory()
  let store: any EmbeddingStore
  var reference: ReferenceTable
  var random = SeededGenerator(seed: 1)

  init(_ contract: Contract, dimension: Int = 3) throws {
    self.contract = contract
    let configuration = contract.configuration(dimension)
    store = try contract.backend.make(configuration, in: directory)
    reference = ReferenceTable(configuration)
  }

  func update(
    _ numbers: [Int], step: Int64 = 1, learningRate: Float? = nil,
    counting: FrequencyCounting = .updates
  ) throws {
    let ids = contract.ids(numbers)
    let gradients = random.floats(ids.count * reference.configuration.dimension)
    try store.update(
      contract.column(ids), gradients: gradients, step: step, learningRate: learningRate,
      counting: counting)
    reference.update(
      ids, gradients: gradients, step: step, learningRate: learningRate, counting: counting)
  }

  /// Compares vectors, metadata and count, and after a commit everything.
  func expectEqual(_ numbers: some Sequence<Int>) throws {
    let ids = contract.ids(numbers)
    for mode in [LookupMode.serving] {
      #expect(
        try store.lookup(contract.column(ids), mode: mode)
          == reference.lookup(ids, mode: mode))
    }
    #expect(try store.metadata(contract.column(ids)) == reference.metadata(ids))
    #expect(try store.count == reference.rows.count)
    try contract.backend.commit(store)
    #expect(try store.count == reference.rows.count)
    #expect(try difference() == nil)
    try expectSnapshotEqual(ids)
  }

  /// Compares the snapshot of the table, served from its file: the reading part of the contract.
  private func expectSnapshotEqual(_ ids: [EmbeddingID]) throws {
    guard contract.backend == .table, let table = store as? EmbeddingTable else { return }
    let file = directory.path + "/contract.embsnap"
    try table.exportSnapshot(file)
    let snapshot = try SnapshotStore(file)
    #expect(
      try snapshot.lookup(contract.column(ids), mode: .serving)
        == reference.lookup(ids, mode: .serving))
    #expect(try snapshot.metadata(contract.column(ids)) == reference.metadata(ids))
    #expect(try snapshot.count == reference.rows.count)
    #expect(try reference.difference(from: snapshot) == nil)
    #expect(code { _ = try snapshot.lookup(contract.column(ids), mode: .training) } == .readOnly)
  }

  func difference(batchSize: Int = 1000) throws -> String? {
    func open(_ store: some EmbeddingStore) throws -> String? {
      try reference.difference(from: store, batchSize: batchSize)
    }
    return try open(store)
  }
}

/// The code of the error that `body` throws, or nil where it throws none.
func code(_ body: () throws -> Void) -> EmbeddingError.Code? {
  do {
    try body()
    return nil
  } catch { return (error as? EmbeddingError)?.code }
}
