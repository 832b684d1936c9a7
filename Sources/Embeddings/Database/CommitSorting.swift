import StorageBase

/// Collects the rows of a commit and sorts them: new ones by key in the id tree, others by number.
///
/// Each of several threads has some of the shards, collects their rows into a part of the memory, the
/// new ones from its start, the others from its end, and sorts them. Then parts are merged, two and
/// two. The result does not depend on how many there are.
///
/// Unsafe: the memory of the lists, of which each thread has its own part.
struct CommitSorting {
  let cache: RowCache
  let idType: IDType
  /// The index of the first row of each shard, and the end of all.
  let starts: [Int]
  let elements: UnsafeMutablePointer<KeyedIndex>
  let scratch: UnsafeMutablePointer<KeyedIndex>
  let pace: Pace?

  struct Sorted {
    var new: UnsafeMutableBufferPointer<KeyedIndex>
    var old: UnsafeMutableBufferPointer<KeyedIndex>
    /// The slots of each shard's rows, by index.
    var slots: [[UInt32]]
    var deleted: [ChangedRow] = []
    var gone: [ChangedRow] = []
  }

  /// - Parameter threadCount: the most threads that there are to be.
  func sort(threadCount: Int) -> Sorted {
    // Parts of equal depth, so that two that are merged stand on the same side.
    var depth = 0
    while 2 << depth <= min(threadCount, cache.shards.count) { depth += 1 }
    return sort(0..<cache.shards.count, depth: depth)
  }

  private func sort(_ shards: Range<Int>, depth: Int) -> Sorted {
    guard depth > 0 else { return collect(shards) }
    let middle = (shards.lowerBound + shards.upperBound) / 2
    var (first, second): (Sorted?, Sorted?)
    concurrently({ second = sort(middle..<shards.upperBound, depth: depth - 1) }) {
      first = sort(shards.lowerBound..<middle, depth: depth - 1)
    }
    let (one, other) = (first.unsafelyUnwrapped, second.unsafelyUnwrapped)
    // What the halves were merged from is free for the whole.
    let target = depth % 2 == 1 ? scratch : elements
    let (newCount, oldCount) = (one.new.count + other.new.count, one.old.count + other.old.count)
    let new = target + starts[shards.lowerBound]
    let old = target + starts[shards.upperBound] - oldCount
    merge(UnsafeBufferPointer(one.new), UnsafeBufferPointer(other.new), into: new)
    merge(UnsafeBufferPointer(one.old), UnsafeBufferPointer(other.old), into: old)
    return Sorted(
      new: UnsafeMutableBufferPointer(start: new, count: newCount),
      old: UnsafeMutableBufferPointer(start: old, count: oldCount),
      slots: one.slots + other.slots,
      deleted: one.deleted + other.deleted, gone: one.gone + other.gone)
  }

  /// Collects the rows of some shards, a few under each lock, and sorts them.
  private func collect(_ shards: Range<Int>) -> Sorted {
    let (start, end) = (starts[shards.lowerBound], starts[shards.upperBound])
    var (new, old) = (elements + start, elements + end)
    var (deleted, gone): ([ChangedRow], [ChangedRow]) = ([], [])
    var lists: [[UInt32]] = []
    for shard in shards {
      let first = starts[shard]
      let count = starts[shard + 1] - first
      var slots: [UInt32] = []
      slots.reserveCapacity(count)
      var place = FixedTurns.Place()
      var isDone = false
      while !isDone {
        cache.shards[shard].withRows { rows in
          isDone = !rows.forEachRunning(from: &place) { row in
            precondition(slots.count < count, "more rows than were fixed")
            let index = UInt32(first + slots.count)
            slots.append(row.slot)
            if row.isDeleted {
              if row.isNew { gone.append(row) } else { deleted.append(row) }
            } else if row.isNew {
              new.initialize(
                to: KeyedIndex(
                  key: TableStorage.treeKey(row.key, idType), index: index,
                  value: UInt32(clamping: row.frequency)))
              new += 1
            } else {
              old -= 1
              old.initialize(to: KeyedIndex(key: row.row, index: index))
            }
          }
        }
        pace?.giveWay()
      }
      precondition(slots.count == count, "fewer rows than were fixed")
      lists.append(slots)
    }
    let sorted = Sorted(
      new: UnsafeMutableBufferPointer(start: elements + start, count: new - (elements + start)),
      old: UnsafeMutableBufferPointer(start: old, count: elements + end - old),
      slots: lists, deleted: deleted, gone: gone)
    radixSort(sorted.new, scratch: scratch + start) { pace?.giveWay() }
    radixSort(sorted.old, scratch: scratch + start) { pace?.giveWay() }
    return sorted
  }
}
