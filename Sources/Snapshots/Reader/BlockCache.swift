import StorageBase
import Synchronization

/// Blocks and pages that were read, up to a number of bytes, for any number of threads. What was
/// not used for a while goes first (the clock algorithm).
final class BlockCache: Sendable {
  enum Key: Hashable {
    case block(page: Int, index: Int)
    case page(Int)
    case map(page: Int, index: Int)
    case rows(page: Int, index: Int, Int)
  }

  enum Value {
    case block(DecodedBlock)
    case page(LoadedPage)
    case map(BlockMap)
    case rows(PageOfRows)

    var byteCount: Int {
      switch self {
      case .block(let block): block.byteCount
      case .page(let page): page.byteCount
      case .map(let map): map.byteCount
      case .rows(let rows): rows.byteCount
      }
    }
  }

  private struct Entry {
    var key: Key
    var value: Value
    var isUsed: Bool
  }

  private struct Shard {
    var places: [Key: Int] = [:]
    var entries: [Entry] = []
    var hand = 0
    var byteCount = 0

    mutating func get(_ key: Key) -> Value? {
      guard let place = places[key] else { return nil }
      entries[place].isUsed = true
      return entries[place].value
    }

    mutating func put(_ key: Key, _ value: Value, budget: Int) {
      if let place = places[key] { remove(place) }
      while byteCount + value.byteCount > budget, !entries.isEmpty { evictOne() }
      guard value.byteCount <= budget else { return }
      places[key] = entries.count
      // Pages of the index, and maps, serve many more lookups than rows do.
      let isPage = if case .page = key { true } else if case .map = key { true } else { false }
      entries.append(Entry(key: key, value: value, isUsed: isPage))
      byteCount += value.byteCount
    }

    private mutating func evictOne() {
      while true {
        if hand >= entries.count { hand = 0 }
        defer { hand += 1 }
        // The last entry, often the newest, takes the place of the one removed: the hand passes it.
        guard entries[hand].isUsed else { return remove(hand) }
        entries[hand].isUsed = false
      }
    }

    private mutating func remove(_ place: Int) {
      byteCount -= entries[place].value.byteCount
      places[entries[place].key] = nil
      let last = entries.removeLast()
      if place < entries.count {
        entries[place] = last
        places[last.key] = place
      }
    }
  }

  /// A shard with its lock: an object, since a lock has to stay where it is.
  private final class LockedShard: Sendable {
    let state = Mutex(Shard())
  }

  private let shards: [LockedShard]
  private let shardBudget: Int

  init(budget: Int) {
    // A shard holds some blocks at least, or it would be of no use.
    let count = max(1, min(16, budget / (8 << 20)))
    shards = (0..<count).map { _ in LockedShard() }
    shardBudget = budget / count
  }

  private func shard(_ key: Key) -> LockedShard {
    let number =
      switch key {
      case .block(let page, let index), .map(let page, let index):
        page * Defaults.blocksPerPage + index
      case .page(let page): page
      case .rows(let page, let index, let rows): page * Defaults.blocksPerPage + index + rows
      }
    return shards[number % shards.count]
  }

  func get(_ key: Key) -> Value? { shard(key).state.withLock { $0.get(key) } }

  func put(_ key: Key, _ value: Value) {
    shard(key).state.withLock { $0.put(key, value, budget: shardBudget) }
  }

  /// The bytes held.
  var byteCount: Int { shards.reduce(0) { $0 + $1.state.withLock { $0.byteCount } } }
}
