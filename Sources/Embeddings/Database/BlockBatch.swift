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

/// Which blocks a commit's rows stand in, batch by batch, for the thread that has the transaction.
struct BlockPlanning {
  private let rows: NumberedRows
  private let storage: TableStorage
  /// The blocks that the last commit has.
  let oldBlocks: UInt64
  /// Blocks in a batch.
  private let capacity: Int
  private var place = 0
  private var free: [BlockBatch] = []
  private var made = 0
  private static let mostBatches = 8

  /// - Parameters:
  ///   - bytes: what all batches may take together.
  ///   - oldCount: the rows of the last commit.
  init(_ rows: NumberedRows, _ storage: TableStorage, bytes: Int, _ oldCount: UInt64) {
    self.rows = rows
    self.storage = storage
    oldBlocks = storage.layout.blockCount(rows: oldCount)
    capacity = max(1, min(bytes / Self.mostBatches / storage.layout.byteCount, rows.count))
  }

  /// Batches that were planned, and not taken back.
  var underWay: Int { made - free.count }

  /// Plans the next batch; nil where there are no more rows, or as many batches as there may be are
  /// under way.
  mutating func next(
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> BlockBatch? {
    guard place < rows.count, !free.isEmpty || made < Self.mostBatches else { return nil }
    if free.isEmpty {
      free.append(BlockBatch(layout: storage.layout, capacity: capacity))
      made += 1
    }
    let batch = free.removeLast()
    while place < rows.count, !batch.isFull {
      let number = storage.layout.place(ofRow: rows.number(place)).block
      let end = rows.endOfRows(
        below: (number + 1) * UInt64(storage.layout.rowsPerBlock), from: place)
      batch.plan(
        number, rows: place..<end,
        old: number < oldBlocks ? try storage.block(number, in: transaction) : nil,
        standsAlone: storage.blocksStandAlone)
      place = end
    }
    return batch
  }

  /// Takes a batch back that was written.
  mutating func takeBack(_ batch: BlockBatch) {
    batch.removeAll()
    free.append(batch)
  }
}

/// Blocks of a commit that are laid out together, before they are written together.
///
/// Planning and writing belong to the thread that has the transaction; laying out, the larger part of
/// the work, needs none and can be done in another one.
final class BlockBatch {
  private struct Block {
    let number: UInt64
    /// The rows that change, by their places.
    let rows: Range<Int>
    /// What it was; nil for a new block, and where that stands in the new one's memory.
    let old: UnsafeRawPointer?
    let isNew: Bool
  }

  private let layout: BlockLayout
  private let capacity: Int
  private let memory: UnsafeMutableRawPointer
  private var blocks: [Block] = []
  /// What they hold, once they are laid out (``BlockLayout/contentHash(_:number:)``).
  private var contents: [UInt64] = []
  /// By how much the sum of frequencies changes.
  private(set) var frequencyChange: UInt64 = 0
  /// A block that did not match its checksum.
  private(set) var damaged: UInt64?

  init(layout: BlockLayout, capacity: Int) {
    self.layout = layout
    self.capacity = capacity
    memory = .allocate(byteCount: capacity * layout.byteCount, alignment: 64)
  }

  deinit { memory.deallocate() }

  var count: Int { blocks.count }
  var isFull: Bool { blocks.count == capacity }
  func removeAll() { blocks.removeAll(keepingCapacity: true) }
  func number(_ i: Int) -> UInt64 { blocks[i].number }
  func content(_ i: Int) -> UInt64 { contents[i] }

  /// Bytes of block `i` of these.
  func bytes(_ i: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: memory + i * layout.byteCount, count: layout.byteCount)
  }

  /// Adds a block whose rows `rows` change.
  ///
  /// - Parameter old: what it is in the last commit. If it does not stand alone, it is copied now,
  ///   since writing another block may move it.
  func plan(_ number: UInt64, rows: Range<Int>, old: BlockView?, standsAlone: Bool) {
    var source = old?.bytes.baseAddress
    if !standsAlone, let start = source {
      (memory + blocks.count * layout.byteCount).copyMemory(
        from: start, byteCount: layout.byteCount)
      source = nil
    }
    blocks.append(Block(number: number, rows: rows, old: source, isNew: old == nil))
  }

  /// Lays all blocks out, with `rowCount` rows in the table.
  func fill(from rows: NumberedRows, rowCount: UInt64, at pace: Pace?) {
    frequencyChange = 0
    contents.removeAll(keepingCapacity: true)
    for (i, block) in blocks.enumerated() {
      if i % BlockEdits.blocksAtOnce == 0 { pace?.giveWay() }
      let target = memory + i * layout.byteCount
      var buffer = BlockBuffer(layout: layout, changing: target)
      if block.isNew {
        buffer.clear()
      } else {
        if let old = block.old { target.copyMemory(from: old, byteCount: layout.byteCount) }
        guard buffer.view(number: block.number).isIntact else {
          damaged = block.number
          return
        }
      }
      frequencyChange &+= rows.copy(block.rows, to: &buffer, number: block.number)
      let first = block.number * UInt64(layout.rowsPerBlock)
      if rowCount < first + UInt64(layout.rowsPerBlock) {
        buffer.truncate(toRows: Int(rowCount - first))
      }
      contents.append(buffer.seal(number: block.number))
    }
  }
}
