import StorageBase

/// The distinct ids of a batch that have no row, in the order of their hashes, and so shard by shard;
/// kept from batch to batch.
struct AbsentIDs: ~Copyable {
  /// One of them: its occurrences, and what is decided about it.
  struct Group {
    let hash: UInt64
    /// Its first occurrence.
    let start: Int
    var count: Int
    var occurrences: Range<Int> { start..<start + count }
    /// What the filter had counted before the batch.
    var before: UInt32 = 0
    /// How often the batch counts.
    var times: UInt32 = 0
    var isAdmitted = false
  }

  private var sorted: [KeyedIndex] = []
  private var memory = UnsafeMutableBufferPointer<Group>.allocate(capacity: 16)
  private var groupCount = 0

  deinit { memory.deallocate() }

  /// Unsafe: changed in place by those who read the rest of the batch's scratch meanwhile.
  var groups: UnsafeMutableBufferPointer<Group> {
    UnsafeMutableBufferPointer(rebasing: memory[..<groupCount])
  }

  var isEmpty: Bool { sorted.isEmpty }
  /// How often ids without a row occur.
  var occurrenceCount: Int { sorted.count }

  /// The batch position of occurrence `k`, in the order of the groups; those of a group rise.
  func position(_ k: Int) -> Int { Int(sorted[k].index) }

  /// Collects the positions of a batch for which no slot was found.
  mutating func collect(_ scratch: BatchScratch) {
    sorted.removeAll(keepingCapacity: true)
    let (order, hashes, slots) = (scratch.order, scratch.orderedHashes, scratch.slots)
    for k in 0..<scratch.count {
      let i = order[k]
      if slots[Int(i)].slot < 0 { sorted.append(KeyedIndex(key: hashes[k], index: i)) }
    }
    groupCount = 0
    guard !sorted.isEmpty else { return }
    radixSort(&sorted)
    if memory.count < sorted.count {
      memory.deallocate()
      memory = .allocate(capacity: sorted.count * 2)
    }
    for (k, element) in sorted.enumerated() {
      if groupCount > 0, memory[groupCount - 1].hash == element.key {
        memory[groupCount - 1].count += 1
      } else {
        memory.initializeElement(
          at: groupCount, to: Group(hash: element.key, start: k, count: 1))
        groupCount += 1
      }
    }
  }
}
