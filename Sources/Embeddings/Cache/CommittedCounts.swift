import Synchronization

/// How many rows the last commit has, and how many of those are in the cache: where they are all
/// there, an id that is not in the cache has no row, and nobody need look for it.
final class CommittedCounts: Sendable {
  private let rows: Atomic<Int>
  private let cached = Atomic<Int>(0)
  private let held = Atomic<Int>(0)

  init(rowCount: UInt64) { rows = Atomic(Int(rowCount)) }

  /// Whether every committed row is in the cache.
  ///
  /// Exact for somebody who holds the lock of a shard and does not find an id there: if that id had
  /// a row it would not be counted as cached, and no other row is counted twice.
  @inline(__always)
  var allAreCached: Bool { cached.load(ordering: .relaxed) == rows.load(ordering: .relaxed) }

  /// Whether the last commit has every row as it is now: nothing changed since, none is under way, and
  /// none on probation.
  ///
  /// What happened before this was asked is in that commit, and so in a read transaction that begins
  /// afterwards.
  var areAllCommitted: Bool { held.load(ordering: .acquiring) == 0 }

  /// The rows of the last commit.
  var rowCount: Int { rows.load(ordering: .relaxed) }

  /// Counts committed rows that come into the cache or leave it; under the lock of their shard.
  func addCached(_ change: Int) { cached.add(change, ordering: .relaxed) }

  /// Counts rows that must stay in the cache, or are nowhere else; under the lock of their shard.
  func addHeld(_ change: Int) { held.add(change, ordering: .releasing) }

  /// Notes the rows of a commit, while no batch is at work.
  func setRows(_ rowCount: UInt64) { rows.store(Int(rowCount), ordering: .relaxed) }
}
