import CKernels
import LMDB
import StorageBase

/// The rows that a commit writes, in the order of their numbers.
final class NumberedRows {
  private let rows: [ChangedRow]
  private let order: [KeyedIndex]
  /// The commit that writes them.
  private let generation: UInt64
  private let cache: RowCache
  private let layout: BlockLayout

  /// - Parameters:
  ///   - rows: the rows, in any order.
  ///   - numbers: the number of each.
  ///   - new: which of them are new, by rising number where they follow all others.
  init(
    _ rows: [ChangedRow], numbers: [UInt64], new: [UInt32], generation: UInt64, cache: RowCache,
    layout: BlockLayout
  ) {
    var order: [KeyedIndex] = []
    order.reserveCapacity(rows.count - new.count)
    for i in rows.indices where !rows[i].isNew {
      order.append(KeyedIndex(key: numbers[i], index: UInt32(i)))
    }
    radixSort(&order)
    order.reserveCapacity(rows.count)
    let last = order.last?.key ?? 0
    var isRising = true
    for i in new {
      let number = numbers[Int(i)]
      isRising = isRising && number >= last
      order.append(KeyedIndex(key: number, index: i))
    }
    if !isRising { radixSort(&order) }
    self.rows = rows
    self.order = order
    self.generation = generation
    self.cache = cache
    self.layout = layout
  }

  var count: Int { order.count }

  /// The number of a row.
  func number(_ place: Int) -> UInt64 { order[place].key }

  /// The end of the rows with numbers below `end`, from `start` on.
  func endOfRows(below end: UInt64, from start: Int) -> Int {
    var place = start
    while place < order.count, order[place].key < end { place += 1 }
    return place
  }

  /// Copies rows into block `number`; returns the change of the sum of their frequencies.
  func copy(_ range: Range<Int>, to buffer: inout BlockBuffer, number: UInt64) -> UInt64 {
    var change: UInt64 = 0
    for place in range {
      prefetch(from: place)
      change &+= copy(place, to: &buffer, number: number)
    }
    return change
  }

  /// Asks for the memory of rows that will be written soon: first for what is known of them, then
  /// for their headers and floats.
  private func prefetch(from place: Int) {
    rows.withUnsafeBufferPointer { rows in
      guard let start = rows.baseAddress else { return }
      // Unsafe: asked for, not read.
      if place + 16 < order.count { ck_prefetch(start + Int(order[place + 16].index)) }
      guard place + 6 < order.count else { return }
      let row = start + Int(order[place + 6].index)
      let memory = row.pointee.memory
      ck_prefetch(cache.layout.header(Int(row.pointee.slot), ofFloats: memory))
      for line in 0..<min(16, cache.layout.rowFloats / 16 + 1) { ck_prefetch(memory + 64 * line) }
    }
  }

  private func copy(_ place: Int, to buffer: inout BlockBuffer, number: UInt64) -> UInt64 {
    let row = rows[Int(order[place].index)]
    let index = layout.place(ofRow: order[place].key).index
    let old = buffer.view(number: number).frequency(index)
    buffer.setFixed(
      index, key: row.key, frequency: row.counts.frequency, lastStep: row.counts.lastStep,
      generation: generation)
    cache.withRunningFloats(row) { floats in
      buffer.setVector(index, from: floats)
      buffer.setSlots(index, from: floats + layout.dimension)
    }
    return row.counts.frequency &- old
  }
}
