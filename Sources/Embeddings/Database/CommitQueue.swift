import StorageBase

/// Which commits are asked for, under way and done.
///
/// At most one commit is under way, and at most one more waits: its state is fixed already, and it is
/// written when the other is done. Whoever asks for a third takes the place of the one that waits;
/// what that one stood for is a prefix of what the new one does. So may the one that waits take the
/// place of the one under way, once somebody waits for it, and take over what that had to write.
struct CommitQueue {
  /// A state that is to be committed.
  struct Request {
    let number: UInt64
    let point: CommitPoint
    private(set) var tables: [FixedTable]
    /// Whether eviction policies that are due run with it.
    var isEvicting = false
    /// Whether a later one may take its place while it is under way: where that is so, which states
    /// are written depends on time.
    var yields = false

    /// Takes over the rows of `other`, which was under way, and does not yield in its turn.
    mutating func takeOver(_ other: Request) {
      yields = false
      for i in tables.indices {
        tables[i].rows += other.tables.first { $0.core === tables[i].core }?.rows ?? 0
      }
    }
  }

  /// An open table as it was when the state was fixed, beside its rows.
  struct FixedTable {
    let core: TableCore
    /// The rows that the commit before it did not have.
    fileprivate(set) var rows: Int
    /// What had become of its ids.
    let life: LifeCounts
  }

  /// The number of the last request.
  var lastNumber: UInt64 = 0
  /// Fixed, but not begun.
  var waiting: Request?
  /// Whether a commit is under way.
  var isRunning = false
  /// Whether it is taking over what was fixed: nothing else can be fixed meanwhile.
  var isBeginning = false
  /// Whether a state is being fixed: no commit can begin meanwhile.
  var isFixing = false
  /// All requests up to this one are durable.
  var done: UInt64 = 0
  /// All requests up to this one, but those that are done, failed; and how.
  var failed: UInt64 = 0
  var error: EmbeddingError?
  /// Whether that failure is still to be told to somebody, who did not wait for it.
  var isUntold = false

  var isIdle: Bool { !isRunning && waiting == nil }

  /// Begins to fix a state; false where a commit is taking over another one. To fix a state and to
  /// take one over both go through all shards, and must not do so at once.
  mutating func beginFixing() -> Bool {
    guard !isBeginning else { return false }
    isFixing = true
    return true
  }

  /// Begins the request that waits, unless one is under way.
  mutating func begin() -> Request? {
    guard !isRunning, !isFixing, let request = waiting else { return nil }
    waiting = nil
    isRunning = true
    isBeginning = true
    return request
  }

  mutating func end(_ request: Request) {
    done = request.number
    isRunning = false
    isBeginning = false
  }

  /// Begins to give up the commit under way for the one that waits; false where a state is being fixed.
  mutating func beginGivingUp() -> Bool {
    guard !isFixing else { return false }
    isBeginning = true
    return true
  }

  /// Ends that: the one that waits stands for both.
  mutating func giveUp(_ request: Request) {
    waiting?.takeOver(request)
    isRunning = false
    isBeginning = false
  }

  /// The error that nobody was told, which the caller now is.
  mutating func takeUntoldError() -> EmbeddingError? {
    defer { isUntold = false }
    return isUntold ? error : nil
  }

  /// Ends the commit under way, and gives up the one that waits.
  mutating func fail(_ error: EmbeddingError, isTold: Bool) {
    failed = lastNumber
    self.error = error
    isUntold = isUntold || !isTold
    waiting = nil
    isRunning = false
    isBeginning = false
  }
}
