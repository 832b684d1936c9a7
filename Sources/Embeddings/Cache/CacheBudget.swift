import Synchronization

/// The bytes of memory that the caches of one database may use together.
///
/// Counted are the rows, their index and the bytes of their ids: everything that grows with the
/// number of cached rows.
final class CacheBudget: Sendable {
  let limit: Int
  private let used = Atomic<Int>(0)
  private let dirty = Atomic<Int>(0)

  init(limit: Int) { self.limit = limit }

  /// Bytes in use.
  var usedBytes: Int { used.load(ordering: .relaxed) }

  /// Bytes of rows that wait for a commit.
  var dirtyBytes: Int { dirty.load(ordering: .relaxed) }

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

  func addDirty(_ bytes: Int) { dirty.add(bytes, ordering: .relaxed) }
}
