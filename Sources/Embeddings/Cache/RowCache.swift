import StorageBase
import Synchronization

/// The cached rows of one table: the newest state of the rows in it, committed or not.
///
/// Rows are spread over shards by their hash; each has a lock of its own, which a batch takes once
/// for all of its rows there.
final class RowCache: Sendable {
  final class Shard: @unchecked Sendable {
    // Unchecked: `rows` is only touched under `lock`, but for what a commit reads and then checks
    // (`withRunningRow`). A `Mutex<RowShard>` would say so by itself, but refuses bodies that work
    // with the memory of the calling batch as well. Behind a pointer, since rows that are fetched
    // take the lock one by one, and checks of exclusive access cost as much again.
    private let lock = Mutex(())
    private let rows: UnsafeMutablePointer<RowShard>

    init(number: Int, context: ShardContext) {
      rows = .allocate(capacity: 1)
      rows.initialize(to: RowShard(number: number, context: context))
    }

    deinit {
      rows.deinitialize(count: 1)
      rows.deallocate()
    }

    /// Lends the shard to `body`, to which it belongs alone meanwhile.
    @inline(__always)
    func withRows<R>(_ body: (inout RowShard) -> R) -> R {
      lock.withLock { _ in
        defer { if rows.pointee.hasUnreported { rows.pointee.report() } }
        return body(&rows.pointee)
      }
    }

    /// The index as it stands, whose memory may only be asked for ahead; nil where somebody else has
    /// the shard.
    @inline(__always)
    var indexToPrefetch: RowIndex? { lock.withLockIfAvailable { _ in rows.pointee.index } }

    /// Lends the shard to `body`; without `waiting` returns false where somebody else has it.
    @inline(__always)
    func withRows(waiting: Bool, _ body: (inout RowShard) -> Void) -> Bool {
      // Not `withLock` or `withLockIfAvailable`, so that there is one copy of the body.
      if waiting {
        lock._unsafeLock()
      } else if !lock._unsafeTryLock() {
        return false
      }
      defer { lock._unsafeUnlock() }
      body(&rows.pointee)
      if rows.pointee.hasUnreported { rows.pointee.report() }
      return true
    }
  }

  let layout: CacheLayout
  let budget: CacheBudget
  let shards: [Shard]
  /// How many of the last commit's rows are here.
  let counts: CommittedCounts
  let pins = RowPins()
  let shardShift: UInt64

  /// - Parameters:
  ///   - block: how rows stand on disk.
  ///   - rowCount: the rows of the last commit.
  init(_ block: BlockLayout, rowCount: UInt64, idType: IDType, budget: CacheBudget) {
    self.budget = budget
    counts = CommittedCounts(rowCount: rowCount)
    // A shard for each 4 MiB, up to 64: enough that threads rarely meet, and large enough that a
    // shard's last, half-empty slab stays small beside it.
    var shardBits = 0
    while shardBits < 6, budget.limit >> (22 + shardBits) > 1 { shardBits += 1 }
    // A slab is about a 64th of a shard's share.
    layout = CacheLayout(
      dimension: block.dimension, slotCount: block.slotCount, hasBytes: idType == .bytes,
      mostSlabBytes: min(
        budget.limit >> (shardBits + 6), budget.scratch.map(\.regionBytes) ?? .max))
    shardShift = UInt64(64 - shardBits)
    let context = ShardContext(
      layout: layout, budget: budget,
      slabs: SlabMemory(
        slabBytes: layout.slabBytes, limit: budget.limit, pool: budget.regions,
        scratch: budget.scratch),
      indexes: IndexMemory(limit: budget.limit, pool: budget.regions), counts: counts,
      pins: pins,
      mostOnProbation: max(1, budget.limit / 4 / (layout.rowBytes << shardBits)))
    shards = (0..<(1 << shardBits)).map { Shard(number: $0, context: context) }
  }

  /// Fixes the changed rows for a commit, and those that wait for one, while no batch is at work.
  func fix() {
    for shard in shards { shard.withRows { $0.fix() } }
  }

  /// Begins to commit the rows that were fixed.
  func beginCommit() {
    for shard in shards { shard.withRows { $0.beginCommit() } }
  }

  /// Takes that back, before the commit has begun.
  func unfix() {
    for shard in shards { shard.withRows { $0.unfix() } }
  }

  /// How many rows of the commit under way have not changed since they were fixed, and how many wait.
  var rowsToCommit: (unchanged: Int, waiting: Int) {
    shards.reduce(into: (0, 0)) { counts, shard in
      let (unchanged, waiting) = shard.withRows { ($0.running.unchangedCount, $0.waitingCount) }
      counts = (counts.0 + unchanged, counts.1 + waiting)
    }
  }

  /// Gives the commit under way up for the one that waits, which takes over its rows, beside batches at
  /// work. Nothing may be fixed meanwhile.
  func giveUpCommit() {
    for shard in shards {
      var next = 0
      while !shard.withRows({ $0.giveUpCommit(from: &next) }) {}
    }
  }

  /// Calls `body` with a row's hash, counts and floats as the commit under way writes them, from any
  /// thread.
  ///
  /// As long as the row has not changed, they are read where they stand and without its shard's
  /// lock: a thread that commits gives way to others, and to hold a lock meanwhile would stop them. A
  /// row gets another turn before it changes, so what was read is whole if it has the same one
  /// afterwards; or else `body` is called again, with the row's copy.
  @inline(__always)
  func withRunningRow(
    _ row: PlacedRow, turns: TurnSet,
    _ body: (UInt64, RowCounts, UnsafePointer<Float>) -> Void
  ) {
    let header = row.header.pointee
    if turns.contains(header.flags.turn), !header.flags.contains(.wide) {
      body(header.hash, header.narrowCounts, row.floats)
      atomicMemoryFence(ordering: .acquiring)
      if turns.contains(row.header.pointee.flags.turn) { return }
    }
    shards[Int(row.shard)].withRows { rows in
      let state = rows.runningState(Int(row.slot))
      body(header.hash, state.counts, state.floats)
    }
  }

  /// The shard of a hash.
  @inline(__always)
  func shardNumber(_ hash: UInt64) -> Int { Int(hash >> shardShift) }

  func shard(ofKey key: UInt64) -> Shard { shards[shardNumber(RowKey.hash(key))] }

  /// Bytes of slabs that this table holds.
  var slabBytes: Int {
    shards.reduce(0) { $0 + $1.withRows { $0.slabCount * layout.slabBytes } }
  }

  /// Whether a shard may add a slab: until it cannot, no row need leave for another one.
  var canGrow: Bool { budget.limit - budget.usedBytes >= 2 * layout.slabBytes }

  /// Rows in the cache.
  var rowCount: Int { shards.reduce(0) { $0 + $1.withRows { $0.occupiedCount } } }

  /// Rows that changed since a commit was last asked for.
  var dirtyCount: Int { shards.reduce(0) { $0 + $1.withRows { $0.dirty.slots.count } } }

  /// Rows that must stay in the cache: changed ones, and those of a commit under way.
  var heldCount: Int { shards.reduce(0) { $0 + $1.withRows { $0.heldCount } } }

  /// Rows on probation.
  var probationCount: Int { shards.reduce(0) { $0 + $1.withRows { $0.probationCount } } }

  /// What happened to ids since the table was opened.
  var life: LifeCounts {
    shards.reduce(LifeCounts()) { $0 + $1.withRows { $0.life } }
  }

  /// Forgets every row; those that wait for a commit too.
  func removeAll() {
    for shard in shards { shard.withRows { $0.removeAllRows() } }
  }
}
