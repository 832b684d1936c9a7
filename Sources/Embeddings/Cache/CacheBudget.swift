import Synchronization

/// The bytes of memory that a database may use, for the rows that its tables cache, for the pages
/// that a commit writes, and for what helps lookups past the cache.
///
/// Counted as cached are the rows, their index and the bytes of their ids: everything that grows
/// with the number of rows. LMDB keeps the pages that a commit writes in memory until its end, and
/// the memory of the largest commit for good; so three eighths of the budget are set aside for them, and
/// a commit becomes due when they would fill it. A quarter is for row numbers and block addresses
/// (``RowNumberCache``, ``BlockAddresses``): 5 or 6 bytes make a lookup that misses the cache several
/// times as fast, where a cached row takes hundreds. A read-only database has nothing else.
final class CacheBudget: Sendable {
  /// What the user set, in bytes.
  let total: Int
  /// Bytes for cached rows.
  let limit: Int
  /// Bytes for the pages of a commit.
  let commitLimit: Int
  /// Bytes for row numbers and block addresses.
  let lookupLimit: Int
  private let used = Atomic<Int>(0)
  private let lookups = Atomic<Int>(0)
  private let dirty = Atomic<Int>(0)
  private let commitSize = Atomic<Int>(0)
  private let new = Atomic<Int>(0)

  /// - Parameters:
  ///   - bytes: what the user set.
  ///   - isReadOnly: whether no rows are cached, and no commits made.
  init(bytes: Int, isReadOnly: Bool = false) {
    total = bytes
    // Where there is hardly room for a batch, all of it is for batches.
    lookupLimit = isReadOnly ? bytes : bytes < 512 << 10 ? 0 : bytes / 4
    commitLimit = (bytes - lookupLimit) / 2
    limit = bytes - lookupLimit - commitLimit
  }

  /// Bytes in use for cached rows.
  var usedBytes: Int { used.load(ordering: .relaxed) }

  /// Bytes of cached rows that wait for a commit.
  var dirtyBytes: Int { dirty.load(ordering: .relaxed) }

  /// The bytes that a commit made now would need: copies of the rows, each block of which a row
  /// changed, and new rows side by side.
  var commitBytes: Int { commitSize.load(ordering: .relaxed) }

  /// Bytes in use for row numbers and block addresses.
  var lookupBytes: Int { lookups.load(ordering: .relaxed) }

  /// Bytes that are left for them.
  var lookupRoom: Int { lookupLimit - lookupBytes }

  /// Takes `bytes` for cached rows, or returns false where they are not left.
  func reserve(_ bytes: Int) -> Bool { Self.take(bytes, from: used, limit: limit) }

  /// Gives `bytes` of cached rows back.
  func release(_ bytes: Int) { used.subtract(bytes, ordering: .relaxed) }

  /// Takes `bytes` for row numbers or block addresses, or returns false where they are not left.
  func reserveForLookups(_ bytes: Int) -> Bool {
    Self.take(bytes, from: lookups, limit: lookupLimit)
  }

  /// Gives `bytes` of those back.
  func releaseForLookups(_ bytes: Int) { lookups.subtract(bytes, ordering: .relaxed) }

  private static func take(_ bytes: Int, from count: borrowing Atomic<Int>, limit: Int) -> Bool {
    var current = count.load(ordering: .relaxed)
    while true {
      guard current + bytes <= limit else { return false }
      let (done, actual) = count.compareExchange(
        expected: current, desired: current + bytes, ordering: .relaxed)
      if done { return true }
      current = actual
    }
  }

  /// Rows that the last commit does not have.
  var newRows: Int { new.load(ordering: .relaxed) }

  /// Counts rows that wait for a commit, or, with negative numbers, no longer do.
  func addDirty(_ bytes: Int, commitBytes: Int, newRows: Int) {
    dirty.add(bytes, ordering: .relaxed)
    commitSize.add(commitBytes, ordering: .relaxed)
    if newRows != 0 { new.add(newRows, ordering: .relaxed) }
  }
}
