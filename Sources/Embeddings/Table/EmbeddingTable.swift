import LMDB
import StorageBase
import Synchronization

/// One table of an ``EmbeddingDatabase``: the durable backend of ``EmbeddingStore``.
///
/// Rows are trained in the database's cache and become durable at its commits; a table may be far
/// larger than memory. All calls may be made from any number of threads.
///
/// In a database opened read-only, every call sees the newest commit of the process that writes,
/// whole, and ids read as rows or as initial vectors just as they would there.
public final class EmbeddingTable: EmbeddingStore {
  /// The database that the table belongs to; it stays open as long as the table is in use.
  public let database: EmbeddingDatabase
  let core: TableCore
  // What batches use most stands here as well, one step nearer.
  let storage: TableStorage
  let cache: RowCache
  let initializer: Initializer
  let seed: UInt64
  /// The table that holds the rows shared by ids without one of their own.
  let shared: EmbeddingTable?

  init(_ core: TableCore, of database: EmbeddingDatabase) {
    self.database = database
    self.core = core
    shared = core.shared.map { EmbeddingTable($0, of: database) }
    storage = core.storage
    cache = core.cache
    initializer = core.initializer
    seed = core.seed
  }

  /// The table's name.
  public var name: String { storage.name }

  /// What the table is.
  public var configuration: TableConfiguration { core.state.withLock { $0.record.configuration } }

  /// The number of rows, those not yet committed included.
  public var count: Int {
    get throws(EmbeddingError) {
      try database.checkOpen()
      guard !database.isReadOnly else {
        return try database.read { (view) throws(EmbeddingError) in try view.count(of: name) }
      }
      return core.count
    }
  }
}

/// What a database keeps of a table that is open, whoever holds an ``EmbeddingTable`` of it.
final class TableCore: Sendable {
  let number: UInt32
  let storage: TableStorage
  let cache: RowCache
  /// Where rows of the last commit stand.
  let locations: RowLocations
  private let madeDoorkeeper = Mutex<Doorkeeper?>(nil)
  let cacheAdvice = CacheAdvice()
  let coldReads = ColdReads()
  let scratch = ScratchPool()
  let prefetches = PrefetchQueue()
  let sampler = SamplerState()
  let initializer: Initializer
  let seed: UInt64
  /// Decides which ids get rows; nil where all do.
  let admission: TableAdmission?
  /// The table that holds the rows shared by ids without one of their own.
  let shared: TableCore?
  /// How often a batch counts that does not say.
  let defaultCounting: FrequencyCounting

  /// What changes in the life of a table.
  struct State {
    /// The table in the last commit.
    var record: TableRecord
    var optimizer: AnyRowOptimizer
    /// The slots of a new row.
    var initialSlots: [Float]
  }
  let state: Mutex<State>
  /// Rows that the cache has and the last commit has not, less those that were deleted.
  let uncommittedRows = Atomic<Int>(0)
  /// Those among them that a commit under way writes.
  let rowsUnderWay = Atomic<Int>(0)

  init(
    name: String, record: TableRecord, trees: TableTrees, shared: TableCore?,
    budget: CacheBudget, pageSize: Int
  ) throws(EmbeddingError) {
    let configuration = record.configuration
    self.shared = shared
    defaultCounting = configuration.defaultCounting
    number = record.number
    initializer = configuration.initializer
    seed = configuration.seed
    storage = TableStorage(
      name: name, idType: configuration.idType, layout: record.layout, trees: trees,
      blocksStandAlone: BlockAddresses.isUsable(
        byteCount: record.layout.byteCount, pageSize: pageSize))
    admission = TableAdmission(record, storage: storage)
    locations = RowLocations(record, budget: budget, pageSize: pageSize)
    cache = RowCache(
      record.layout, rowCount: record.rowCount, idType: configuration.idType, budget: budget)
    state = Mutex(try State(record: record))
  }

  /// Takes over where blocks stand after a commit. No batch is at work.
  func advance(to transaction: UInt64, changedBlocks: [Int]) {
    locations.advance(
      to: transaction, changedBlocks: changedBlocks,
      rowCount: state.withLock { $0.record.rowCount })
  }

  /// Decides which rows enter the cache once it is full; made when it is first asked. Nil where
  /// there is no room for it, and then all do.
  func doorkeeper() -> Doorkeeper? {
    madeDoorkeeper.withLock { made in
      if made == nil {
        made = Doorkeeper(rows: cache.budget.limit / cache.layout.rowBytes, budget: cache.budget)
      }
      return made
    }
  }

  /// The number of rows, those not yet committed included.
  var count: Int {
    // Both under the lock, under which a commit turns the second into the first.
    state.withLock { Int($0.record.rowCount) + uncommittedRows.load(ordering: .relaxed) }
  }
}

extension TableCore.State {
  init(record: TableRecord) throws(EmbeddingError) {
    self.record = record
    optimizer = try AnyRowOptimizer(
      record.configuration.optimizer, dimension: record.configuration.dimension)
    initialSlots = [Float](repeating: 0, count: optimizer.slotCount)
    let optimizer = optimizer
    initialSlots.withUnsafeMutableBufferPointer { slots in
      if let start = slots.baseAddress { optimizer.initializeSlots(start) }
    }
  }
}
