import LMDB
public import StorageBase
import Synchronization

/// One table of an ``EmbeddingDatabase``: the durable backend of ``EmbeddingStore``.
///
/// Rows are trained in the database's cache and become durable at its commits; a table may be far
/// larger than memory. All calls may be made from any number of threads.
///
/// In a database opened read-only, every call sees the newest commit of the process that writes,
/// whole, and ids read as rows or as initial vectors just as they would there.
public final class EmbeddingTable: EmbeddingStore {
  /// The table's name.
  public let name: String
  let database: DatabaseCore
  let storage: TableStorage
  let cache: RowCache
  let scratch = ScratchPool()
  let sampler = SamplerState()
  let number: UInt32
  let initializer: Initializer
  let seed: UInt64

  /// What changes in the life of a table object.
  struct State {
    var record: TableRecord
    var optimizer: AnyRowOptimizer
    /// The slots of a new row.
    var initialSlots: [Float]
  }
  let state: Mutex<State>
  /// Rows that the cache has and the last commit has not, less those that were deleted.
  let uncommittedRows = Atomic<Int>(0)

  init(
    name: String, database: DatabaseCore, record: TableRecord, ids: NamedDatabase,
    blocks: NamedDatabase
  ) throws(EmbeddingError) {
    self.name = name
    self.database = database
    number = record.number
    let configuration = record.configuration
    initializer = configuration.initializer
    seed = configuration.seed
    storage = TableStorage(
      name: name, idType: configuration.idType, layout: record.layout, ids: ids, blocks: blocks)
    cache = RowCache(
      dimension: configuration.dimension, slotCount: configuration.slotCount,
      idType: configuration.idType, budget: database.budget)
    state = Mutex(try State(record: record))
  }

  /// What the table is.
  public var configuration: TableConfiguration { state.withLock { $0.record.configuration } }

  /// The number of rows, those not yet committed included.
  public var count: Int {
    get throws(EmbeddingError) {
      try database.checkOpen()
      if database.isReadOnly { return Int(try currentRecord().rowCount) }
      return state.withLock { Int($0.record.rowCount) }
        + uncommittedRows.load(ordering: .relaxed)
    }
  }

  /// The table's record in the newest commit, which in a read-only database another process makes.
  func currentRecord() throws(EmbeddingError) -> TableRecord {
    guard database.isReadOnly else { return state.withLock { $0.record } }
    return try database.environment.read { (transaction) throws(EmbeddingError) in
      try database.tableRecord(name, in: transaction).unwrapped(name)
    }
  }
}

extension EmbeddingTable.State {
  init(record: TableRecord) throws(EmbeddingError) {
    self.record = record
    optimizer = try AnyRowOptimizer(
      record.configuration.optimizer, dimension: record.configuration.dimension)
    initialSlots = [Float](repeating: 0, count: optimizer.slotCount)
    initialSlots.withUnsafeMutableBufferPointer { slots in
      if let start = slots.baseAddress { optimizer.initializeSlots(start) }
    }
  }
}

extension Optional where Wrapped == TableRecord {
  func unwrapped(_ name: String) throws(EmbeddingError) -> TableRecord {
    guard let self else {
      throw EmbeddingError(.notFound, "The database has no table named \(name).")
    }
    return self
  }
}
