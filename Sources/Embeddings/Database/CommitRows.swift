import CKernels
import StorageBase

/// The rows that a commit writes, as it found them when it began: which are new, and in which order.
///
/// A row is known by its *index*: shard by shard, in the order in which rows changed. What is known of
/// it stands in the cache, where it stays; here are only lists of 16 bytes for each row that is
/// sorted, as much again to sort them, and, where that was, afterwards 8 bytes.
///
/// Unsafe: the lists' memory. `@unchecked Sendable`: nothing changes once it is made.
final class CommitRows: @unchecked Sendable {
  /// Bytes of lists for a row.
  static let bytesPerRow = 2 * MemoryLayout<KeyedIndex>.stride

  let cache: RowCache
  /// The turns of rows that have not changed since, by shard.
  private let turns: [TurnSet]
  /// The slots of each shard's rows, and the index of the first.
  private let slots: [[UInt32]]
  private let starts: [Int]
  /// How many rows there are, those included that are not written.
  private let indexCount: Int
  /// The slabs of each shard.
  private let slabs: [[UnsafeRawPointer]]
  private let memory: ListMemory
  /// New rows in the order of the id tree: key there, index and place.
  let newByKey: UnsafeBufferPointer<KeyedIndex>
  /// The other rows, by number.
  let old: UnsafeBufferPointer<KeyedIndex>
  /// The indices of new rows by their *places*: by falling frequency, so that those that will change
  /// together stand together; with equal frequencies by key, so that the order does not depend on
  /// threads.
  private let order: UnsafePointer<UInt32>
  /// The places of new rows by their indices, or `oldRow`, or `noRow`.
  private let places: UnsafePointer<UInt32>
  /// By row number.
  let deleted: [ChangedRow]
  /// Rows that came and went since the last commit.
  let gone: [ChangedRow]
  private static let oldRow = UInt32.max
  private static let noRow = UInt32.max - 1

  /// Collects and sorts the rows of the commit under way, in up to `threadCount` threads.
  init(_ cache: RowCache, _ idType: IDType, threadCount: Int, at pace: Pace?) {
    let lists = cache.shards.map {
      $0.withRows {
        (count: $0.runningCount, slabs: $0.slabAddresses, turns: $0.running.numbers)
      }
    }
    var starts = [0]
    for list in lists { starts.append(starts.last.unsafelyUnwrapped + list.count) }
    let count = starts.removeLast()
    let memory = ListMemory(byteCount: count * Self.bytesPerRow, budget: cache.budget)
    let first = memory.start.bindMemory(to: KeyedIndex.self, capacity: 2 * count)
    let sorting = CommitSorting(
      cache: cache, idType: idType, starts: starts + [count], elements: first,
      scratch: first + count, pace: pace)
    let sorted = sorting.sort(threadCount: threadCount)
    let isInScratch = sorted.new.baseAddress.map { $0 >= first + count } ?? false
    let rest = UnsafeMutableRawPointer(isInScratch ? first : first + count)
      .bindMemory(to: UInt32.self, capacity: 4 * count)
    Self.place(sorted.new, order: rest, places: rest + count, count: count, old: sorted.old)
    self.cache = cache
    turns = lists.map(\.turns)
    slots = sorted.slots
    self.starts = starts
    indexCount = count
    slabs = lists.map(\.slabs)
    self.memory = memory
    newByKey = UnsafeBufferPointer(sorted.new)
    old = UnsafeBufferPointer(sorted.old)
    order = UnsafePointer(rest)
    places = UnsafePointer(rest + count)
    deleted = sorted.deleted.sorted { $0.row < $1.row }
    gone = sorted.gone
  }

  /// Gives new rows, which come in the order of their keys, their places.
  private static func place(
    _ new: UnsafeMutableBufferPointer<KeyedIndex>, order: UnsafeMutablePointer<UInt32>,
    places: UnsafeMutablePointer<UInt32>, count: Int, old: UnsafeMutableBufferPointer<KeyedIndex>
  ) {
    places.update(repeating: noRow, count: count)
    for row in old { places[Int(row.index)] = oldRow }
    // A counting sort: few frequencies are large, and those rows, the first ones, are sorted once more.
    let large = 2048
    var next = [Int](repeating: 0, count: large + 1)
    for row in new { next[min(Int(row.value), large)] += 1 }
    let largeCount = next[large]
    var start = 0
    for frequency in next.indices.reversed() {
      (next[frequency], start) = (start, start + next[frequency])
    }
    next.withUnsafeMutableBufferPointer { next in
      for i in new.indices {
        let bucket = min(Int(new[i].value), large)
        let place = next[bucket]
        next[bucket] += 1
        if bucket == large {
          order[place] = UInt32(i)
        } else {
          set(place, &new[i], order, places)
        }
      }
    }
    var first = UnsafeMutableBufferPointer(start: order, count: largeCount)
    first.sort {
      let (one, other) = (new[Int($0)].value, new[Int($1)].value)
      return one != other ? one > other : $0 < $1
    }
    for place in 0..<largeCount { set(place, &new[Int(order[place])], order, places) }
  }

  @inline(__always)
  private static func set(
    _ place: Int, _ row: inout KeyedIndex, _ order: UnsafeMutablePointer<UInt32>,
    _ places: UnsafeMutablePointer<UInt32>
  ) {
    row.value = UInt32(place)
    order[place] = row.index
    places[Int(row.index)] = UInt32(place)
  }

  /// Calls `body` with a row's hash, counts and floats as they were fixed, from any thread.
  @inline(__always)
  func withState(
    of row: PlacedRow, _ body: (UInt64, RowCounts, UnsafePointer<Float>) -> Void
  ) {
    cache.withRunningRow(row, turns: turns[Int(row.shard)], body)
  }

  /// The rows that are written.
  var count: Int { newByKey.count + old.count }

  /// The index of the new row with a place.
  @inline(__always)
  func newIndex(at place: Int) -> UInt32 { order[place] }

  /// Asks for what `row` will read of a row's index: they come in an order that nobody foresees.
  @inline(__always)
  func prefetchRow(_ index: UInt32) {
    let (shard, k) = place(index)
    // Unsafe: asked for, not read.
    slots[shard].withUnsafeBufferPointer { ck_prefetch($0.baseAddress.unsafelyUnwrapped + k) }
  }

  /// The shard of a row, and which of its rows it is.
  @inline(__always)
  private func place(_ index: UInt32) -> (shard: Int, k: Int) {
    let index = Int(index)
    // All shards have about as many.
    var shard = index * starts.count / indexCount
    while starts[shard] > index { shard -= 1 }
    while shard + 1 < starts.count, starts[shard + 1] <= index { shard += 1 }
    return (shard, index - starts[shard])
  }

  /// Where a row is in the cache.
  func row(_ index: UInt32) -> PlacedRow {
    let (shard, k) = place(index)
    let slot = Int(slots[shard][k])
    let layout = cache.layout
    let slab = slabs[shard][slot >> layout.rowsPerSlabShift]
    let place = slot & layout.slotMask
    return PlacedRow(
      header: slab.assumingMemoryBound(to: RowHeader.self) + place,
      floats: (slab + layout.floatsOffset).assumingMemoryBound(to: Float.self)
        + place &* layout.rowFloats,
      slot: UInt32(slot), shard: UInt16(shard), index: 0)
  }

  /// Takes over that the rows are durable, a few under each lock, beside batches at work.
  func release(_ numbers: NewNumbers, at pace: Pace?) {
    for (shard, (slots, first)) in zip(cache.shards, zip(slots, starts)) {
      var start = 0
      while start < slots.count {
        pace?.giveWay()
        let end = min(start + 128, slots.count)
        shard.withRows { rows in
          for k in start..<end {
            // Unsafe: asked for, not read.
            if k + 16 < slots.count { ck_prefetch(rows.header(Int(slots[k + 16]))) }
            let place = places[first + k]
            guard place != Self.noRow else { continue }
            rows.markCommitted(
              Int(slots[k]), number: place == Self.oldRow ? nil : numbers[Int(place)])
          }
        }
        start = end
      }
    }
  }
}

/// The numbers that new rows get by their places: those of deleted rows first, then the end of the
/// table.
struct NewNumbers {
  /// Numbers of deleted rows that they take, rising.
  let holes: ArraySlice<UInt64>
  /// The first one behind the table.
  let first: UInt64

  /// The number of the row with a place.
  @inline(__always)
  subscript(place: Int) -> UInt64 {
    place < holes.count ? holes[holes.startIndex + place] : first + UInt64(place - holes.count)
  }
}
