import StorageBase
import Synchronization

/// Blocks and pages that were read, up to a number of bytes, for any number of threads. What was
/// not used for a while goes first (the clock algorithm).
final class BlockCache: Sendable {
  /// What an entry is, as one number, which is faster to hash.
  struct Key: Hashable {
    private let bits: UInt64
    /// Whether many lookups share the entry: it stays for longer.
    let isShared: Bool

    private init(_ page: Int, _ index: Int, _ number: Int, isShared: Bool) {
      // A page has up to 2^10 blocks, each of up to 2^16 rows.
      bits = UInt64(page) << 28 | UInt64(index) << 18 | UInt64(number)
      self.isShared = isShared
    }

    static func block(page: Int, index: Int) -> Key { Key(page, index, 0, isShared: false) }
    static func page(_ page: Int) -> Key { Key(page, 0, 1, isShared: true) }
    static func map(page: Int, index: Int) -> Key { Key(page, index, 2, isShared: true) }
    static func rows(page: Int, index: Int, _ number: Int) -> Key {
      Key(page, index, 3 + number, isShared: false)
    }

    static func == (a: Key, b: Key) -> Bool { a.bits == b.bits }
    func hash(into hasher: inout Hasher) { hasher.combine(bits) }

    /// Entries of one block lie in different shards.
    func shard(of count: Int) -> Int { Int(mix64(bits) >> 32) % count }
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
    let byteCount: Int
    /// How often the hand passes it by: once after a use, some more often where it is shared.
    var credit: Int
  }

  private struct Shard {
    var places: [Key: Int] = [:]
    var entries: [Entry] = []
    var hand = 0
    var byteCount = 0

    private static let sharedCredit = 4

    mutating func get(_ key: Key) -> Value? {
      guard let place = places[key] else { return nil }
      entries[place].credit = key.isShared ? Shard.sharedCredit : 1
      return entries[place].value
    }

    mutating func put(_ key: Key, _ value: Value, budget: Int) {
      if let place = places[key] { remove(place) }
      let size = value.byteCount
      while byteCount + size > budget, !entries.isEmpty { evictOne() }
      guard size <= budget else { return }
      places[key] = entries.count
      entries.append(
        Entry(
          key: key, value: value, byteCount: size, credit: key.isShared ? Self.sharedCredit : 0))
      byteCount += size
    }

    private mutating func evictOne() {
      while true {
        if hand >= entries.count { hand = 0 }
        defer { hand += 1 }
        // The last entry, often the newest, takes the place of the one removed: the hand passes it.
        guard entries[hand].credit > 0 else { return remove(hand) }
        entries[hand].credit -= 1
      }
    }

    private mutating func remove(_ place: Int) {
      byteCount -= entries[place].byteCount
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

  private func shard(_ key: Key) -> LockedShard { shards[key.shard(of: shards.count)] }

  func get(_ key: Key) -> Value? { shard(key).state.withLock { $0.get(key) } }

  func put(_ key: Key, _ value: Value) {
    shard(key).state.withLock { $0.put(key, value, budget: shardBudget) }
  }

  /// The bytes held.
  var byteCount: Int { shards.reduce(0) { $0 + $1.state.withLock { $0.byteCount } } }
}
