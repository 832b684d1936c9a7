import StorageBase
import Synchronization

/// The working memory of one batch: hashes, and the order in which the shards see the ids.
///
/// Kept from call to call, so that a batch allocates nothing once the largest one has passed.
final class BatchScratch {
  /// The ids' keys, in batch order.
  private(set) var keys = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
  /// Their hashes, in batch order.
  private(set) var hashes = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
  /// Batch positions, those of a shard side by side, in batch order there.
  private(set) var order = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
  /// Slots by batch position.
  private(set) var slots = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
  /// Where each shard's part of `order` starts, and the end of the last.
  private(set) var starts: [Int] = []
  /// Batch positions of ids that are not in the cache.
  var misses: [UInt32] = []
  /// Batch positions of ids that are to become rows; they have slots already.
  var absent: [UInt32] = []
  /// How many rows were read but found no room in the cache.
  var uncached = 0
  /// The slots of a new row.
  var initialSlots: [Float] = []
  /// The distinct rows of a shard's part of the batch: their memory, slots and occurrences.
  var distinctRows: [UnsafeMutablePointer<Float>] = []
  private(set) var distinctSlots: [Int32] = []
  private(set) var occurrences: [UInt32] = []
  /// Their summed gradients, row-major.
  private(set) var gradients = UnsafeMutablePointer<Float>.allocate(capacity: 1)
  private var gradientCapacity = 1
  /// An open-addressing table from slot to position among the distinct rows + 1.
  private var table: [UInt32] = []
  private var capacity = 1

  deinit {
    keys.deallocate()
    hashes.deallocate()
    order.deallocate()
    slots.deallocate()
    gradients.deallocate()
  }

  private func grow(_ count: Int) {
    guard count > capacity else { return }
    keys.deallocate()
    hashes.deallocate()
    order.deallocate()
    slots.deallocate()
    capacity = max(count, capacity * 2)
    keys = .allocate(capacity: capacity)
    hashes = .allocate(capacity: capacity)
    order = .allocate(capacity: capacity)
    slots = .allocate(capacity: capacity)
  }

  /// Hashes the ids and groups them by shard.
  func group(_ ids: UnsafeIDs, in cache: RowCache) {
    let count = ids.count
    grow(count)
    misses.removeAll(keepingCapacity: true)
    absent.removeAll(keepingCapacity: true)
    uncached = 0
    if let int64s = ids.int64s {
      for i in 0..<count { keys[i] = UInt64(bitPattern: int64s[i]) }
    } else {
      for i in 0..<count { keys[i] = xxh3(ids.bytes(i)) }
    }
    let shardCount = cache.shards.count
    starts.removeAll(keepingCapacity: true)
    starts.append(contentsOf: repeatElement(0, count: shardCount + 1))
    starts.withUnsafeMutableBufferPointer { starts in
      for i in 0..<count {
        let hash = RowKey.hash(keys[i])
        hashes[i] = hash
        starts[cache.shardNumber(hash)] += 1
      }
      // Counts become ends; filling from behind turns the ends into starts and keeps the order.
      var end = 0
      for shard in 0..<shardCount {
        end += starts[shard]
        starts[shard] = end
      }
      starts[shardCount] = end
      for i in (0..<count).reversed() {
        let shard = cache.shardNumber(hashes[i])
        starts[shard] -= 1
        order[starts[shard]] = UInt32(i)
      }
    }
  }

  /// The batch positions of the misses in the order of the id tree, equal ids in batch order.
  func sortedMisses(by storage: TableStorage) -> [Int] {
    // The keys are sorted with their positions: looking them up in each comparison costs more.
    var sorted: [(treeKey: UInt64, position: Int)] = []
    sorted.reserveCapacity(misses.count)
    for i in misses { sorted.append((storage.treeKey(keys[Int(i)]), Int(i))) }
    sorted.sort { $0.treeKey == $1.treeKey ? $0.position < $1.position : $0.treeKey < $1.treeKey }
    return sorted.map(\.position)
  }

  /// Id `i` of the batch, as the cache looks for it.
  @inline(__always)
  func key(_ i: Int, of ids: UnsafeIDs) -> RowKey {
    ids.bytes == nil
      ? RowKey(key: keys[i], bytes: UnsafeRawBufferPointer(start: nil, count: 0))
      : RowKey(key: keys[i], bytes: ids.bytes(i))
  }
}

extension BatchScratch {
  /// Starts to collect at most `count` distinct rows.
  func beginDistinct(atMost count: Int, dimension: Int) {
    distinctRows.removeAll(keepingCapacity: true)
    distinctSlots.removeAll(keepingCapacity: true)
    occurrences.removeAll(keepingCapacity: true)
    if gradientCapacity < count * dimension {
      gradients.deallocate()
      gradientCapacity = count * dimension
      gradients = .allocate(capacity: gradientCapacity)
    }
    var size = 16
    while size < count * 2 { size *= 2 }
    table.removeAll(keepingCapacity: true)
    table.append(contentsOf: repeatElement(0, count: size))
  }

  /// The position of `slot` among the distinct rows, and whether it is new there; the caller then
  /// appends to `distinctRows`.
  @inline(__always)
  func distinct(_ slot: Int32) -> (position: Int, isNew: Bool) {
    let mask = table.count - 1
    var place = Int(UInt32(bitPattern: slot) &* 0x9E37_79B9 >> 8) & mask
    while true {
      let entry = Int(table[place])
      if entry == 0 {
        table[place] = UInt32(distinctSlots.count + 1)
        distinctSlots.append(slot)
        occurrences.append(1)
        return (distinctSlots.count - 1, true)
      }
      if distinctSlots[entry - 1] == slot {
        occurrences[entry - 1] += 1
        return (entry - 1, false)
      }
      place = (place + 1) & mask
    }
  }
}

/// Scratch memory that calls borrow and give back.
final class ScratchPool: Sendable {
  private struct Idle: @unchecked Sendable {
    // Unchecked: a scratch belongs to one call at a time; idle ones belong to the pool.
    var scratches: [BatchScratch] = []
  }
  private let idle = Mutex(Idle())

  func withScratch<R>(
    _ body: (BatchScratch) throws(EmbeddingError) -> R
  ) throws(EmbeddingError) -> R {
    let taken = idle.withLock { Idle(scratches: $0.scratches.popLast().map { [$0] } ?? []) }
    let scratch = taken.scratches.first ?? BatchScratch()
    defer {
      let returned = Idle(scratches: [scratch])
      idle.withLock { $0.scratches.append(contentsOf: returned.scratches) }
    }
    return try body(scratch)
  }
}
