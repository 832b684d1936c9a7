/// The state of a database, for people and monitors: what it holds, and what that costs.
public struct DatabaseReport: Sendable {
  /// The directory.
  public var path: String
  /// The version of the format on disk.
  public var formatVersion: Int
  /// The point of training that the last commit stands for.
  public var lastCommit: CommitPoint
  /// The number of commits so far.
  public var generation: UInt64
  /// Bytes of memory that cached rows may take, for all tables together.
  public var cacheBudget: Int
  /// Bytes of memory that they do take.
  public var cachedBytes: Int
  /// Of these, bytes of rows that wait for a commit.
  public var uncommittedBytes: Int
  /// The tables, by name.
  public var tables: [TableReport]
  /// LMDB's view of the file.
  public var storage: StorageReport
}

/// The state of a table. Rows and bytes are those of the last commit.
public struct TableReport: Sendable {
  /// The table's name.
  public var name: String
  /// What the table is.
  public var configuration: TableConfiguration
  /// Rows.
  public var rows: Int
  /// The sum of all rows' frequencies.
  public var totalFrequency: UInt64
  /// Bytes of `data.mdb` that hold the rows: the pages of its trees.
  public var bytesOnDisk: Int { idBytes + blockBytes + stateBytes }
  /// Bytes of the tree that leads from ids to rows.
  public var idBytes: Int
  /// Bytes of the tree with the rows themselves.
  public var blockBytes: Int
  /// Bytes of what is kept beside them: which commits changed what, for deltas.
  public var stateBytes: Int
  /// Rows in a full block.
  public var rowsPerBlock: Int
  /// Bytes of a block: what a commit rewrites for one changed row.
  public var blockSize: Int
  /// Rows that this process has in its cache.
  public var cachedRows: Int
  /// Bytes of memory set aside for them.
  public var cachedBytes: Int
  /// Cached rows that wait for a commit, the deleted ones included.
  public var uncommittedRows: Int
  /// Rows evicted so far, by the policy and by calls.
  public var evictedRows: UInt64
  /// The step at which the policy last ran, or was first set; nil without a policy.
  public var lastEvictionStep: Int64?
  /// What became of the ids of the table; nil where each gets a row.
  public var life: LifeReport?
}

/// How far the ids have come of a table in which they have to earn their rows, in its last commit.
public struct LifeReport: Sendable, Hashable {
  /// Distinct ids that the admission filter counted; nil where there is none that remembers them.
  /// Of a Bloom filter fewer than there were, by its rate of false positives.
  public var counted: Int?
  /// Ids that got a row of their own, on probation or not. One that lost it may be counted again.
  public var admitted: Int
  /// Rows in the memory of the process that trains, below the cutoff.
  public var onProbation: Int
  /// Rows that reached the cutoff; nil where there is none to reach.
  public var promoted: Int?
  /// Rows on probation that had to make room for others, or were there when the database was closed
  /// to importing or evicting.
  public var forgotten: Int
  /// Rows of the table that ids without one of their own share, and how many of them were used; nil
  /// where none are shared.
  public var shared: Shared?
  /// The admission filter; nil where there is none that remembers ids.
  public var filter: Filter?

  /// Rows that ids share.
  public struct Shared: Sendable, Hashable {
    /// Rows that were used.
    public var used: Int
    /// Rows that there can be.
    public var total: Int
  }

  /// The state of an admission filter.
  public struct Filter: Sendable, Hashable {
    /// Bytes of memory that it takes.
    public var bytes: Int
    /// The share of its cells that are in use.
    public var fill: Double
    /// The probability that an id never seen counts as seen; 0 for an exact counter.
    public var falsePositiveRate: Double
    /// Layers: a Bloom filter gets another one where more ids come than were expected.
    public var layers: Int
    /// Ids that it expects for the rate it was given; nil for an exact counter.
    public var expectedIDs: Int?
  }
}

/// LMDB's environment below a database.
public struct StorageReport: Sendable {
  /// Bytes of address space set aside: how large the file may get before the map has to grow.
  public var mapSize: Int
  /// Bytes of a page.
  public var pageSize: Int
  /// Bytes of `data.mdb`, which never shrinks; ``EmbeddingDatabase/compact(at:options:)`` makes it as
  /// small as it can be.
  public var fileSize: Int
  /// Pages that the last commit uses.
  public var usedPages: Int
  /// Pages within the file that no commit uses; they are filled before the file grows.
  public var freePages: Int
  /// The readers of all processes, this report's own included.
  public var readers: [ReaderReport]
  /// How many readers there may be at once.
  public var maximumReaders: Int
  /// How many commits the oldest reader lags behind. A reader that stays behind keeps pages from
  /// being used again, so that the file grows.
  public var oldestReaderLag: UInt64
  /// The number of LMDB's last transaction.
  public var lastTransaction: UInt64
  /// The version of liblmdb.
  public var libraryVersion: String
  /// What is wrong with that version; nil for a good one.
  public var libraryWarning: String?
}

/// A slot in the table of readers that all processes share.
public struct ReaderReport: Sendable, Hashable {
  /// The process.
  public var process: Int32
  /// How many commits its read transaction lags behind; nil for a slot that is kept but idle.
  public var lag: UInt64?
}
