import CKernels

/// The distinct rows of a part of a batch, with their gradients: those of an id that occurs once
/// stand where the caller has them, those of others are summed.
///
/// Unsafe: arrays of addresses for the optimizers' kernels, kept from batch to batch.
struct DistinctRows: ~Copyable {
  private(set) var count = 0
  /// The rows' memory, their gradients, slots and numbers of occurrences.
  private(set) var rows = UnsafeMutablePointer<UnsafeMutablePointer<Float>>.allocate(capacity: 1)
  private(set) var gradients = UnsafeMutablePointer<UnsafePointer<Float>>.allocate(capacity: 1)
  private(set) var slots = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
  private(set) var occurrences = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
  private var capacity = 1
  /// An open-addressing table from slot to position + 1.
  private var table = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
  private var tableCapacity = 1
  /// Sums of gradients, in chunks that keep their places.
  private var sums: [UnsafeMutablePointer<Float>] = []
  private var usedSums = 0

  deinit {
    rows.deallocate()
    gradients.deallocate()
    slots.deallocate()
    occurrences.deallocate()
    table.deallocate()
    for chunk in sums { chunk.deallocate() }
  }

  /// Collects the rows that a shard has of a batch.
  ///
  /// - Parameters:
  ///   - range: the shard's part of `order`, batch positions; those without a slot are passed over.
  ///   - batchGradients: row-major, in batch order; nil where rows are only counted.
  mutating func collect(
    _ range: Range<Int>, of order: UnsafePointer<UInt32>, slots found: UnsafePointer<FoundSlot>,
    in shard: borrowing RowShard, gradients batchGradients: UnsafePointer<Float>?
  ) {
    begin(atMost: range.count)
    let dimension = shard.layout.dimension
    var size = 16
    while size < range.count * 2 { size *= 2 }
    reserveTable(size)
    let mask = size - 1
    for k in range {
      let i = Int(order[k])
      let slot = found[i].slot
      if slot < 0 { continue }
      var place = Int((UInt32(truncatingIfNeeded: slot) &* 0x9E37_79B9) >> 8) & mask
      while true {
        let entry = Int(table[place])
        if entry == 0 {
          table[place] = UInt32(truncatingIfNeeded: count &+ 1)
          rows[count] = shard.floats(slot)
          gradients[count] =
            batchGradients.map { $0 + i &* dimension } ?? UnsafePointer(rows[count])
          slots[count] = Int32(truncatingIfNeeded: slot)
          occurrences[count] = 1
          // Unsafe: asked for, not read. The headers are what comes next.
          ck_prefetch_for_writing(shard.header(slot))
          count &+= 1
          break
        }
        if Int(slots[entry &- 1]) == slot {
          occurrences[entry &- 1] &+= 1
          if let batchGradients { sum(entry &- 1, batchGradients + i &* dimension, dimension) }
          break
        }
        place = (place &+ 1) & mask
      }
    }
  }

  private mutating func begin(atMost needed: Int) {
    count = 0
    usedSums = 0
    guard needed > capacity else { return }
    rows.deallocate()
    gradients.deallocate()
    slots.deallocate()
    occurrences.deallocate()
    capacity = max(needed, capacity * 2)
    rows = .allocate(capacity: capacity)
    gradients = .allocate(capacity: capacity)
    slots = .allocate(capacity: capacity)
    occurrences = .allocate(capacity: capacity)
  }

  private mutating func reserveTable(_ size: Int) {
    if size > tableCapacity {
      table.deallocate()
      tableCapacity = size
      table = .allocate(capacity: size)
    }
    table.initialize(repeating: 0, count: size)
  }

  /// Adds a further occurrence of the row at `position`.
  private mutating func sum(
    _ position: Int, _ gradient: UnsafePointer<Float>, _ dimension: Int
  ) {
    if occurrences[position] == 2 {
      let memory = addSum(dimension)
      memory.update(from: gradients[position], count: dimension)
      gradients[position] = UnsafePointer(memory)
    }
    // From its second occurrence on, a row's gradient stands in memory of this value.
    ck_add(UnsafeMutablePointer(mutating: gradients[position]), gradient, dimension)
  }

  private static let chunkFloats = 16_384

  private mutating func addSum(_ dimension: Int) -> UnsafeMutablePointer<Float> {
    let sumsPerChunk = max(1, Self.chunkFloats / dimension)
    let (chunk, index) = usedSums.quotientAndRemainder(dividingBy: sumsPerChunk)
    if chunk == sums.count { sums.append(.allocate(capacity: max(Self.chunkFloats, dimension))) }
    usedSums += 1
    return sums[chunk] + index * dimension
  }
}
