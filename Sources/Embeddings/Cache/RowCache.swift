import StorageBase
import Synchronization

/// The cached rows of one table: the newest state of the rows in it, committed or not.
///
/// Rows are spread over shards by their hash; each has a lock of its own, which a batch takes once
/// for all of its rows there.
final class RowCache: Sendable {
  final class Shard: @unchecked Sendable {
    // Unchecked: `rows` is only touched under `lock`. A `Mutex<RowShard>` would say so by itself,
    // but refuses bodies that work with the memory of the calling batch as well.
    private let lock = Mutex(())
    private var rows: RowShard

    init(layout: CacheLayout, budget: CacheBudget, changedBlocks: ChangedBlocks) {
      rows = RowShard(layout: layout, budget: budget, changedBlocks: changedBlocks)
    }

    /// Lends the shard to `body`, to which it belongs alone meanwhile.
    func withRows<R>(_ body: (inout RowShard) -> R) -> R {
      lock.withLock { _ in body(&rows) }
    }
  }

  let layout: CacheLayout
  let budget: CacheBudget
  let shards: [Shard]
  /// The blocks that the next commit will write.
  let changedBlocks: ChangedBlocks
  /// Slabs, index and ids of this table's rows are counted in `budget` as well; this is the shape
  /// that its shards have.
  private let shardShift: UInt64

  /// - Parameters:
  ///   - block: how rows stand on disk.
  ///   - rowCount: the rows of the last commit.
  init(_ block: BlockLayout, rowCount: UInt64, idType: IDType, budget: CacheBudget) {
    self.budget = budget
    changedBlocks = ChangedBlocks(layout: block, rowCount: rowCount)
    let (dimension, slotCount) = (block.dimension, block.slotCount)
    let rowBytes =
      MemoryLayout<RowHeader>.stride + 4 * (dimension + slotCount) + (idType == .bytes ? 8 : 0)
    // A shard for each 4 MiB, up to 64: enough that threads rarely meet, and large enough that a
    // shard's last, half-empty slab stays small beside it.
    var shardBits = 0
    while shardBits < 6, budget.limit >> (22 + shardBits) > 1 { shardBits += 1 }
    // A slab is about a 64th of a shard's share, from 8 rows up.
    var rowsPerSlabShift = 3
    let slabBytes = budget.limit >> (shardBits + 6)
    while rowsPerSlabShift < 12, rowBytes << (rowsPerSlabShift + 1) <= slabBytes {
      rowsPerSlabShift += 1
    }
    layout = CacheLayout(
      dimension: dimension, slotCount: slotCount, hasBytes: idType == .bytes,
      rowsPerSlabShift: rowsPerSlabShift, blockBytes: block.pages * BlockLayout.pageSize)
    shardShift = UInt64(64 - shardBits)
    shards = (0..<(1 << shardBits)).map { [layout, changedBlocks] _ in
      Shard(layout: layout, budget: budget, changedBlocks: changedBlocks)
    }
  }

  /// The shard of a hash.
  @inline(__always)
  func shardNumber(_ hash: UInt64) -> Int { Int(hash >> shardShift) }

  func shard(ofKey key: UInt64) -> Shard { shards[shardNumber(RowKey.hash(key))] }

  /// Bytes of slabs that this table holds.
  var slabBytes: Int {
    shards.reduce(0) { $0 + $1.withRows { $0.liveSlabCount * layout.slabBytes } }
  }

  /// Whether a shard may add a slab: until it cannot, no row need leave for another one.
  var canGrow: Bool { budget.limit - budget.usedBytes >= 2 * layout.slabBytes }

  /// Rows in the cache.
  var rowCount: Int { shards.reduce(0) { $0 + $1.withRows { $0.occupiedCount } } }

  /// Rows that wait for a commit.
  var dirtyCount: Int { shards.reduce(0) { $0 + $1.withRows { $0.dirtySlots.count } } }

  /// Forgets every row; those that wait for a commit too.
  func removeAll() {
    for shard in shards { shard.withRows { $0.removeAllRows() } }
    changedBlocks.removeAll()
  }
}
