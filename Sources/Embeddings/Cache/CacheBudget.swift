import Synchronization

/// The bytes of memory that a database may use, for the rows that its tables cache and for the
/// pages that a commit writes.
///
/// Counted as cached are the rows, their index and the bytes of their ids: everything that grows
/// with the number of rows. LMDB keeps the pages that a commit writes in memory until its end, and
/// the memory of the largest commit for good; so half of the budget is set aside for them, and a
/// commit becomes due when they would fill it.
final class CacheBudget: Sendable {
  /// What the user set, in bytes.
  let total: Int
  /// Bytes for cached rows.
  let limit: Int
  /// Bytes for the pages of a commit.
  let commitLimit: Int
  private let used = Atomic<Int>(0)
  private let dirty = Atomic<Int>(0)
  private let commitSize = Atomic<Int>(0)
  private let new = Atomic<Int>(0)

  /// - Parameter bytes: what the user set.
  init(bytes: Int) {
    total = bytes
    commitLimit = bytes / 2
    limit = bytes - commitLimit
  }

  /// Bytes in use for cached rows.
  var usedBytes: Int { used.load(ordering: .relaxed) }

  /// Bytes of cached rows that wait for a commit.
  var dirtyBytes: Int { dirty.load(ordering: .relaxed) }

  /// The bytes that a commit made now would need: copies of the rows, each block of which a row
  /// changed, and new rows side by side.
  var commitBytes: Int { commitSize.load(ordering: .relaxed) }

  /// Takes `bytes` out of the budget, or returns false where they are not left.
  func reserve(_ bytes: Int) -> Bool {
    var current = used.load(ordering: .relaxed)
    while true {
      guard current + bytes <= limit else { return false }
      let (done, actual) = used.compareExchange(
        expected: current, desired: current + bytes, ordering: .relaxed)
      if done { return true }
      current = actual
    }
  }

  /// Gives `bytes` back.
  func release(_ bytes: Int) { used.subtract(bytes, ordering: .relaxed) }

  /// Rows that the last commit does not have.
  var newRows: Int { new.load(ordering: .relaxed) }

  /// Counts rows that wait for a commit, or, with negative numbers, no longer do.
  func addDirty(_ bytes: Int, commitBytes: Int, newRows: Int) {
    dirty.add(bytes, ordering: .relaxed)
    commitSize.add(commitBytes, ordering: .relaxed)
    if newRows != 0 { new.add(newRows, ordering: .relaxed) }
  }
}
