import StorageBase
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The working memory of one batch: hashes, and the order in which the shards see the ids.
///
/// Kept from call to call, so that a batch allocates nothing once the largest one has passed.
final class BatchScratch {
  /// The hashes of the ids' keys, in batch order.
  private(set) var hashes = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
  /// Batch positions, those of a shard side by side, in batch order there.
  private(set) var order = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
  /// The hashes in that order.
  private(set) var orderedHashes = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
  /// What was found for each id, by batch position.
  private(set) var slots = UnsafeMutablePointer<FoundSlot>.allocate(capacity: 1)
  /// Where each shard's part of `order` starts, and the end of the last.
  private(set) var starts: [Int] = []
  /// Batch positions of ids that are not in the cache.
  private(set) var misses = MissList(capacity: 1)
  /// The ids that have no row, of a table that gives rows to some only.
  var absent = AbsentIDs()
  /// Batch positions of ids that read shared rows.
  private(set) var sharing = MissList(capacity: 1)
  /// The ids of the batch.
  private(set) var count = 0
  /// Positions on their way from one order to another.
  private var ordered = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
  private var marks: [UInt64] = []
  /// How many rows were read but found no room in the cache.
  var uncached = 0
  /// Whether an id is to become a row.
  var hasAbsent = false
  /// Whether `slots` says where the last batch, a lookup for training, left the rows of its ids.
  private var remembersSlots = false
  /// How many rows had left the cache when that began; nil where it left an id without a row.
  private(set) var departures: UInt64?
  /// Whether this batch has the same ids: their rows are very likely still there.
  private(set) var hasLikelySlots = false
  /// The thread that had this last.
  fileprivate var thread: pthread_t?
  /// Memory for a few ids that are on their way through a pipeline.
  let ring = UnsafeMutableRawPointer.allocate(byteCount: BatchScratch.ringBytes, alignment: 64)
  static let ringBytes = 4096
  /// The slots of a new row. Not the table's array: all threads would count its references.
  private(set) var initialSlots = UnsafeMutableBufferPointer<Float>.allocate(capacity: 0)
  /// The distinct rows of a shard's part of the batch.
  var distinct = DistinctRows()
  /// The shard that the batch begins with, so that batches at work side by side rarely meet.
  let firstShard: Int
  private var capacity = 1

  init(number: Int) {
    // The bits of the number in reverse: half round for the second, a quarter for the third.
    firstShard = Int(UInt8(truncatingIfNeeded: number).reversedBits >> 2)
  }

  deinit {
    ring.deallocate()
    initialSlots.deallocate()
    hashes.deallocate()
    order.deallocate()
    orderedHashes.deallocate()
    slots.deallocate()
    ordered.deallocate()
    misses.deallocate()
    sharing.deallocate()
  }

  private func grow(_ count: Int) {
    guard count > capacity else { return }
    hashes.deallocate()
    order.deallocate()
    orderedHashes.deallocate()
    slots.deallocate()
    ordered.deallocate()
    misses.deallocate()
    sharing.deallocate()
    capacity = max(count, capacity * 2)
    hashes = .allocate(capacity: capacity)
    order = .allocate(capacity: capacity)
    orderedHashes = .allocate(capacity: capacity)
    slots = .allocate(capacity: capacity)
    ordered = .allocate(capacity: capacity)
    misses = MissList(capacity: capacity)
    sharing = MissList(capacity: capacity)
  }

  /// Takes over what the slots of new rows hold.
  func setInitialSlots(_ slots: [Float]) {
    if slots.count != initialSlots.count {
      initialSlots.deallocate()
      initialSlots = .allocate(capacity: slots.count)
    }
    _ = initialSlots.update(fromContentsOf: slots)
  }

  /// Makes room for a batch.
  func begin(_ count: Int) {
    grow(count)
    self.count = count
    misses.removeAll()
    sharing.removeAll()
    uncached = 0
    hasAbsent = false
    remembersSlots = false
    hasLikelySlots = false
  }

  /// Notes that `slots` says where the rows of all ids are now, for the update that follows a lookup.
  ///
  /// - Parameter departures: how many rows had left the cache when the lookup began.
  func rememberSlots(departures: UInt64) {
    remembersSlots = true
    self.departures = uncached == 0 ? departures : nil
  }

  /// Hashes the ids, and notes all of them as misses.
  func missAll(_ ids: UnsafeIDs) {
    for i in 0..<ids.count {
      hashes[i] = RowKey(ids, i).hash
      misses.append(i)
    }
  }

  /// Hashes the ids and groups them by shard.
  func group(_ ids: UnsafeIDs, in cache: RowCache) {
    let count = ids.count
    // What trains rows has looked them up before, and then all is as that lookup left it.
    let isRemembered = remembersSlots && count == self.count && isGrouped(ids)
    begin(count)
    if isRemembered {
      hasLikelySlots = true
      return
    }
    let shardCount = cache.shards.count
    let shift = cache.shardShift
    let (hashes, order, orderedHashes) = (hashes, order, orderedHashes)
    starts.removeAll(keepingCapacity: true)
    starts.append(contentsOf: repeatElement(0, count: shardCount + 1))
    starts.withUnsafeMutableBufferPointer { starts in
      let starts = starts.baseAddress.unsafelyUnwrapped
      if let int64s = ids.int64s {
        for i in 0..<count {
          let hash = RowKey.hash(UInt64(bitPattern: int64s[i]))
          hashes[i] = hash
          starts[Int(hash >> shift)] &+= 1
        }
      } else {
        for i in 0..<count {
          let hash = RowKey.hash(xxh3(ids.bytes(i)))
          hashes[i] = hash
          starts[Int(hash >> shift)] &+= 1
        }
      }
      // Counts become ends; filling from behind turns the ends into starts and keeps the order.
      var end = 0
      for shard in 0..<shardCount {
        end &+= starts[shard]
        starts[shard] = end
      }
      starts[shardCount] = end
      var i = count
      while i > 0 {
        i &-= 1
        let hash = hashes[i]
        let shard = Int(hash >> shift)
        let place = starts[shard] &- 1
        starts[shard] = place
        order[place] = UInt32(truncatingIfNeeded: i)
        orderedHashes[place] = hash
      }
    }
  }

  /// Whether these are the ids that are grouped already.
  private func isGrouped(_ ids: UnsafeIDs) -> Bool {
    let hashes = hashes
    for i in 0..<ids.count where RowKey(ids, i).hash != hashes[i] { return false }
    return true
  }

  /// Takes the misses away; their batch positions, rising, stay until the next call.
  func takeMissesInBatchOrder() -> UnsafeBufferPointer<UInt32> {
    let wordCount = (capacity + 63) / 64
    if marks.count < wordCount { marks = Array(repeating: 0, count: wordCount) }
    let (misses, ordered) = (misses.positions, ordered)
    self.misses.removeAll()
    var count = 0
    marks.withUnsafeMutableBufferPointer { marks in
      for i in misses { marks[Int(i / 64)] |= 1 << UInt64(i % 64) }
      for word in marks.indices {
        var bits = marks[word]
        if bits == 0 { continue }
        marks[word] = 0
        while bits != 0 {
          ordered[count] = UInt32(truncatingIfNeeded: word &* 64 &+ bits.trailingZeroBitCount)
          count &+= 1
          bits &= bits &- 1
        }
      }
    }
    return UnsafeBufferPointer(start: ordered, count: count)
  }

  /// The tree keys of the misses with their batch positions, in the order of the id tree, equal ids in
  /// batch order.
  func sortedMisses(by storage: TableStorage) -> [KeyedIndex] {
    var sorted: [KeyedIndex] = []
    sorted.reserveCapacity(misses.count)
    for i in misses.positions {
      sorted.append(
        KeyedIndex(key: storage.treeKey(RowKey.key(ofHash: hashes[Int(i)])), index: i))
    }
    radixSort(&sorted)
    return sorted
  }

  /// Id `i` of the batch, as the cache looks for it.
  @inline(__always)
  func key(_ i: Int, of ids: UnsafeIDs) -> RowKey {
    RowKey(
      hash: hashes[i],
      bytes: ids.bytes == nil
        ? UnsafeRawBufferPointer(start: nil, count: 0) : ids.bytes(i))
  }
}

/// The batch positions of ids that are not in the cache.
///
/// Unsafe: two addresses, so that an inner loop notes a miss without asking whether the list is in
/// use elsewhere.
struct MissList {
  private let start: UnsafeMutablePointer<UInt32>
  private let total: UnsafeMutablePointer<Int>

  init(capacity: Int) {
    start = .allocate(capacity: capacity)
    total = .allocate(capacity: 1)
    total.initialize(to: 0)
  }

  func deallocate() {
    start.deallocate()
    total.deallocate()
  }

  var count: Int { total.pointee }
  var isEmpty: Bool { total.pointee == 0 }
  var positions: UnsafeBufferPointer<UInt32> {
    UnsafeBufferPointer(start: start, count: total.pointee)
  }

  /// Adds a position; there is room for as many as the batch has.
  @inline(__always)
  func append(_ position: Int) {
    start[total.pointee] = UInt32(truncatingIfNeeded: position)
    total.pointee &+= 1
  }

  /// Takes the positions that `body` writes; it returns how many.
  func fill(_ body: (UnsafeMutablePointer<UInt32>) -> Int) { total.pointee = body(start) }

  func removeAll() { total.pointee = 0 }
}

/// The slot in the cache that a batch found for an id.
struct FoundSlot {
  private let value: Int32

  /// The id has no row, and gets none.
  static let none = FoundSlot(value: -1)

  private init(value: Int32) { self.value = value }

  /// A slot; of an id that is still to become a row, or not.
  @inline(__always)
  init(_ slot: Int, isAbsent: Bool) {
    value = Int32(truncatingIfNeeded: isAbsent ? -2 &- slot : slot)
  }

  /// Whether the id is still to become a row.
  @inline(__always)
  var isAbsent: Bool { value < -1 }

  /// The slot, or -1.
  @inline(__always)
  var slot: Int { Int(value < -1 ? -2 &- value : value) }
}

/// Scratch memory that calls borrow and give back; a thread gets the one that it had last, if nobody
/// else took it meanwhile.
final class ScratchPool: Sendable {
  private struct State: @unchecked Sendable {
    // Unchecked: a scratch belongs to one call at a time; idle ones belong to the pool.
    var idle: [BatchScratch] = []
    var count = 0
  }
  private let state = Mutex(State())

  func withScratch<R>(
    _ body: (BatchScratch) throws(EmbeddingError) -> R
  ) throws(EmbeddingError) -> R {
    let scratch = take()
    defer { giveBack(scratch) }
    return try body(scratch)
  }

  private struct Lent: @unchecked Sendable {
    // Unchecked: on its way to the call that it belongs to.
    let scratch: BatchScratch
  }

  private func take() -> BatchScratch {
    let thread = pthread_self()
    let scratch = state.withLock { state -> Lent in
      let own = state.idle.lastIndex { scratch in
        scratch.thread.map { pthread_equal($0, thread) != 0 } ?? false
      }
      if let own { return Lent(scratch: state.idle.remove(at: own)) }
      if let scratch = state.idle.popLast() { return Lent(scratch: scratch) }
      state.count += 1
      return Lent(scratch: BatchScratch(number: state.count - 1))
    }.scratch
    scratch.thread = thread
    return scratch
  }

  private func giveBack(_ scratch: BatchScratch) {
    let lent = Lent(scratch: scratch)
    state.withLock { $0.idle.append(lent.scratch) }
  }
}

extension UInt8 {
  fileprivate var reversedBits: UInt8 {
    (0..<8).reduce(0) { $0 | (self >> $1 & 1) << (7 - $1) }
  }
}
