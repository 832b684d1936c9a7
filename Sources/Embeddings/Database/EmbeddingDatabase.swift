import LMDB
public import StorageBase
import Synchronization

/// Named embedding tables in one directory, trained in memory and committed together.
///
///     let database = try EmbeddingDatabase(at: "model.embeddings")
///     let words = try database.table(
///       "words", TableConfiguration(dimension: 64, optimizer: .adagrad(learningRate: 0.05)))
///     let vectors = try words.lookup(["king", "queen"], mode: .training)
///     // ... gradients of a loss ...
///     try words.update(["king", "queen"], gradients: gradients, step: 1)
///     try database.commit(step: 1)
///
/// **Commits.** `commit(step:)` makes all tables durable at once, in one LMDB transaction: after a
/// crash the database opens at exactly the last committed step. Where changed rows fill their share
/// of the cache budget and of the scratch file, the database commits by itself between two batches (see
/// ``CommitPoint``).
/// What was not committed when the database goes away is forgotten.
///
/// **Processes.** One process writes; any number of others, opened read-only, see its commits.
/// **Threads.** All calls may come from any number of threads. **Directory.** `data.mdb` and
/// `lock.mdb` of LMDB, and `writer.lock`; beside them a copy while the database is compacted. Rows
/// that overflow (``Options/scratchLimit``) stand in a file there that has no name.
public final class EmbeddingDatabase: Sendable {
  /// How a database is opened.
  public struct Options: Sendable {
    /// The bytes of memory that the database may take, for all tables together: half of them for
    /// cached rows, a quarter for what a commit needs, a quarter for finding rows that are not cached.
    /// The default is 256 MiB. Pages of the memory map come on top; the system takes them back when it
    /// needs them.
    public var cacheBudget: Int
    /// About how many bytes of disk rows may take that were changed, wait for a commit, and find no
    /// room in `cacheBudget`: a scratch file in the database's directory, without a name, that is gone
    /// with the process. Its pages are mapped, and the system's to take back.
    ///
    /// It helps where training changes more between two commits than the budget holds, and most where
    /// all of that finds room; lists and copies of commits take three sixteenths of it. It takes what
    /// it needs, and leaves as much room on the disk. Nil, the default, stands for sixteen times
    /// `cacheBudget`, but an eighth of the machine's memory at most: where more of its memory is pages
    /// that have changed, a system writes them out, and holds up who changes more. With 0 there is
    /// none: the database then commits by itself more often, and so it does where the disk has little
    /// room left.
    public var scratchLimit: Int?
    /// What a commit promises; see ``Durability``.
    public var durability: Durability
    /// Whether nothing may be changed. The database must exist.
    public var isReadOnly: Bool
    /// The size of the memory map: how large the database may get before the map has to grow. It is
    /// address space, not memory or disk. Nil takes a size that hardly ever has to.
    public var mapSize: Int?
    /// Whether NFS, CIFS, FUSE and 9p file systems are accepted, whose locks and memory maps LMDB
    /// cannot trust.
    public var allowsUnsafeFileSystem: Bool
    /// Whether all blocks go through LMDB's memory, as they do where its transactions are not known;
    /// for tests.
    var leavesBlocksToLMDB = false

    /// Creates options.
    public init(
      cacheBudget: Int = 256 << 20, durability: Durability = .full, isReadOnly: Bool = false,
      mapSize: Int? = nil, allowsUnsafeFileSystem: Bool = false, scratchLimit: Int? = nil
    ) {
      self.cacheBudget = cacheBudget
      self.scratchLimit = scratchLimit
      self.durability = durability
      self.isReadOnly = isReadOnly
      self.mapSize = mapSize
      self.allowsUnsafeFileSystem = allowsUnsafeFileSystem
    }

    /// Opens for reading only.
    public static var readOnly: Options { Options(isReadOnly: true) }
  }

  /// The most tables that a database can have.
  public static let maximumTableCount = 1_024

  /// The directory.
  public let path: String
  /// Whether the database was opened read-only.
  public let isReadOnly: Bool
  let environment: Environment
  let meta: NamedDatabase
  let budget: CacheBudget
  let gate = Gate()
  let commits = Monitor(CommitQueue())
  /// That of commits behind the loop: each batch at work wants a processor.
  let pace: Pace
  private let writerLock: WriterLock?

  struct State {
    /// The database in the last commit.
    var record: DatabaseRecord
    /// What a commit made now would stand for.
    var live: CommitPoint
    /// What the commit that was last asked for stands for.
    var fixed: CommitPoint
    /// The highest step of an update so far.
    var openStep: Int64
    /// The trees of all tables with a lower number are open.
    var treesOpenedBelow: UInt32 = 0
    var isClosed = false
  }
  let state: Mutex<State>
  let openTables = Mutex<[String: TableCore]>([:])

  /// Opens the database in a directory, creating both unless `options` say read-only.
  ///
  /// Takes the same time whatever the size of the database.
  ///
  /// - Throws: ``EmbeddingError/Code/environmentInUse`` where another process, or this one, has the
  ///   database open for writing; ``EmbeddingError/Code/notFound`` where it does not exist and may
  ///   not be created; ``EmbeddingError/Code/corruption``; ``EmbeddingError/Code/io``.
  public init(at path: String, options: Options = Options()) throws(EmbeddingError) {
    guard options.cacheBudget >= 0 else {
      throw EmbeddingError(
        .invalidArgument, "The cache budget is \(options.cacheBudget) bytes.")
    }
    if let limit = options.scratchLimit, limit < 0 {
      throw EmbeddingError(.invalidArgument, "The limit of the scratch file is \(limit) bytes.")
    }
    self.path = path
    pace = Pace { [gate] in gate.takeMostInside() }
    isReadOnly = options.isReadOnly
    var environmentOptions = Environment.Options()
    if let mapSize = options.mapSize { environmentOptions.mapSize = mapSize }
    environmentOptions.durability = options.durability
    environmentOptions.maxNamedDatabases = 3 * Self.maximumTableCount + 1
    environmentOptions.isReadOnly = options.isReadOnly
    environmentOptions.allowsUnsafeFileSystem = options.allowsUnsafeFileSystem
    environmentOptions.allowsPageFile = !options.leavesBlocksToLMDB
    environment = try Environment(path: path, options: environmentOptions)
    writerLock = options.isReadOnly ? nil : try WriterLock(directory: path)
    if !options.isReadOnly { Environment.removeLeftovers(in: path) }
    let (meta, record) = try Self.openMeta(in: environment, isReadOnly: options.isReadOnly)
    self.meta = meta
    state = Mutex(
      State(record: record, live: record.point, fixed: record.point, openStep: record.point.step))
    // A cache below a few rows would be one that never holds a batch.
    let bytes = max(options.cacheBudget, 128 << 10)
    budget = CacheBudget(
      bytes: bytes, isReadOnly: options.isReadOnly, scratchDirectory: path,
      scratchLimit: options.scratchLimit ?? CacheBudget.defaultScratchLimit(budget: bytes))
  }

  private static func openMeta(
    in environment: Environment, isReadOnly: Bool
  ) throws(EmbeddingError) -> (NamedDatabase, DatabaseRecord) {
    if let meta = try environment.namedDatabase("meta", integerKeys: false, create: false) {
      let record = try environment.read { (transaction) throws(EmbeddingError) in
        try readRecord(meta, in: transaction)
      }
      return (meta, record)
    }
    guard !isReadOnly else {
      throw EmbeddingError(
        .notFound,
        "The directory holds an LMDB environment, but no embedding database.")
    }
    let record = DatabaseRecord()
    let meta = try environment.write { (transaction) throws(EmbeddingError) in
      let meta = try transaction.namedDatabase("meta", integerKeys: false, create: true)!
      try put(record.encode(), under: DatabaseRecord.key, in: meta, transaction)
      return meta
    }
    return (meta, record)
  }

  static func readRecord<T: ReadableTransaction & ~Copyable>(
    _ meta: NamedDatabase, in transaction: borrowing T
  ) throws(EmbeddingError) -> DatabaseRecord {
    guard let stored = try get(DatabaseRecord.key, from: meta, transaction) else {
      throw EmbeddingError(
        .unsupportedFormat, "The LMDB environment holds no embedding database.")
    }
    return try DatabaseRecord(stored)
  }

  static func get<T: ReadableTransaction & ~Copyable>(
    _ key: String, from tree: NamedDatabase, _ transaction: borrowing T
  ) throws(EmbeddingError) -> UnsafeRawBufferPointer? {
    // A key of more than 511 bytes is of no record.
    let key = Array(key.utf8)
    guard key.count <= maximumKeySize else { return nil }
    return try key.withBytes { (key) throws(EmbeddingError) in
      try transaction.get(key, in: tree)
    }
  }

  /// Stores a record's fields, with their checksum.
  static func put(
    _ fields: [UInt8], under key: String, in tree: NamedDatabase,
    _ transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    let value = RecordWriter.seal(fields, key: key)
    try Array(key.utf8).withBytes { (key) throws(EmbeddingError) in
      try value.withBytes { (value) throws(EmbeddingError) in
        try transaction.put(key, value, in: tree)
      }
    }
  }

  /// Closes the database, once the commits that were asked for are done. What was not committed is
  /// forgotten; later calls throw ``EmbeddingError/Code/closed``.
  ///
  /// - Throws: the error of a commit behind the loop that failed, and that nobody was told. The
  ///   database is closed all the same.
  public func close() throws(EmbeddingError) {
    if budget.scratch != nil { try environment.checkProcess() }
    let failure = finishCommits()
    try alone { () throws(EmbeddingError) in
      let wasClosed = state.withLock { state in
        defer { state.isClosed = true }
        return state.isClosed
      }
      if wasClosed { return }
      for table in openTables.withLock({ Array($0.values) }) { table.cache.removeAll() }
      budget.scratch?.giveUp()
      try environment.close()
      writerLock?.release()
    }
    if let failure { throw failure }
  }

  func checkOpen() throws(EmbeddingError) {
    // Rows in a scratch file are the parent's as well, after a fork.
    if budget.scratch != nil { try environment.checkProcess() }
    guard !state.withLock({ $0.isClosed }) else {
      throw EmbeddingError(.closed, "The database \(path) was closed.")
    }
  }

  func checkWritable(_ what: String) throws(EmbeddingError) {
    guard !isReadOnly else {
      throw EmbeddingError(
        .readOnly, "Cannot \(what): the database \(path) was opened read-only.")
    }
  }
}
