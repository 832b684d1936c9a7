import CKernels
import LMDB
import StorageBase

/// Changes to the blocks of a table, carried out block by block in rising order, each block read,
/// checked, changed and written once.
struct BlockEdits: ~Copyable {
  let storage: TableStorage
  let cache: RowCache
  /// Rows to write, and which of them have which numbers.
  private var rows: [ChangedRow] = []
  private var order: [KeyedIndex] = []
  /// Rows that move within the table.
  var moves: [(to: UInt64, from: UInt64)] = []
  private(set) var changedBlocks: [Int] = []
  /// What the changed blocks hold now.
  private(set) var content = ContentHash()
  /// The commit that writes.
  private let generation: UInt64
  /// Bytes of pages that LMDB has not written yet.
  private var bytesInMemory = 0

  init(storage: TableStorage, cache: RowCache, generation: UInt64) {
    self.storage = storage
    self.cache = cache
    self.generation = generation
  }

  mutating func reserveRows(_ count: Int) {
    rows.reserveCapacity(count)
    order.reserveCapacity(count)
  }

  /// Adds a row to write as row `number`.
  mutating func append(_ row: ChangedRow, number: UInt64) {
    order.append(KeyedIndex(key: number, index: UInt32(rows.count)))
    rows.append(row)
  }

  /// Writes all changes, and returns by how much they change the sum of frequencies of the rows
  /// that stay (modulo 2^64).
  mutating func write(
    oldCount: UInt64, newCount: UInt64, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> UInt64 {
    radixSort(&order)
    moves.sort { $0.to < $1.to }
    let layout = storage.layout
    var buffer = BlockBuffer(layout: layout)
    var change: UInt64 = 0
    var nextRow = 0
    var nextMove = 0
    while nextRow < order.count || nextMove < moves.count {
      let first = min(
        nextRow < order.count ? order[nextRow].key : .max,
        nextMove < moves.count ? moves[nextMove].to : .max)
      let number = layout.place(ofRow: first).block
      let end = (number + 1) * UInt64(layout.rowsPerBlock)
      if number < layout.blockCount(rows: oldCount) {
        buffer.load(try storage.checkedBlock(number, in: transaction))
      } else {
        buffer.clear()
      }
      while nextMove < moves.count, moves[nextMove].to < end {
        let from = layout.place(ofRow: moves[nextMove].from)
        let to = layout.place(ofRow: moves[nextMove].to)
        buffer.setRow(
          to.index, from: try storage.checkedBlock(from.block, in: transaction), from.index)
        nextMove += 1
      }
      while nextRow < order.count, order[nextRow].key < end {
        prefetch(from: nextRow)
        change &+= set(nextRow, in: &buffer, number: number)
        nextRow += 1
      }
      if newCount < end {
        buffer.truncate(toRows: Int(newCount - number * UInt64(layout.rowsPerBlock)))
      }
      try put(&buffer, number: number, in: transaction)
    }
    try shrink(from: oldCount, to: newCount, &buffer, in: transaction)
    return change
  }

  /// Asks for the memory of rows that will be written soon: first for what is known of them, then
  /// for their floats.
  private func prefetch(from place: Int) {
    rows.withUnsafeBufferPointer { rows in
      guard let start = rows.baseAddress else { return }
      // Unsafe: asked for, not read.
      if place + 16 < order.count { ck_prefetch(start + Int(order[place + 16].index)) }
      guard place + 6 < order.count else { return }
      let memory = start[Int(order[place + 6].index)].memory
      for line in 0..<min(16, cache.layout.rowFloats / 16 + 1) { ck_prefetch(memory + 64 * line) }
    }
  }

  /// Copies a row into the block; returns the change of its frequency.
  private func set(_ place: Int, in buffer: inout BlockBuffer, number: UInt64) -> UInt64 {
    let row = rows[Int(order[place].index)]
    let index = storage.layout.place(ofRow: order[place].key).index
    let old = buffer.view(number: number).frequency(index)
    buffer.setFixed(
      index, key: row.key, frequency: row.counts.frequency, lastStep: row.counts.lastStep,
      generation: generation)
    cache.shards[Int(row.shard)].withRows { rows in
      let floats = rows.runningFloats(Int(row.slot))
      buffer.setVector(index, from: floats)
      buffer.setSlots(index, from: floats + storage.layout.dimension)
    }
    return row.counts.frequency &- old
  }

  /// Takes away the blocks behind the last row, and clears what is left of the last one.
  private mutating func shrink(
    from oldCount: UInt64, to newCount: UInt64, _ buffer: inout BlockBuffer,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    guard newCount < oldCount else { return }
    let layout = storage.layout
    let kept = layout.blockCount(rows: newCount)
    for number in kept..<layout.blockCount(rows: oldCount) {
      try transaction.delete(number, in: storage.blocks)
    }
    guard kept > 0, changedBlocks.last != Int(kept - 1) else { return }
    buffer.load(try storage.checkedBlock(kept - 1, in: transaction))
    buffer.truncate(toRows: Int(newCount - (kept - 1) * UInt64(layout.rowsPerBlock)))
    try put(&buffer, number: kept - 1, in: transaction)
  }

  private mutating func put(
    _ buffer: inout BlockBuffer, number: UInt64, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    content.add(buffer.seal(number: number))
    try transaction.put(number, buffer.bytes, in: storage.blocks)
    changedBlocks.append(Int(number))
    bytesInMemory += buffer.bytes.count
    if bytesInMemory >= cache.budget.bytesAhead {
      try transaction.writeAhead(storage.blocks)
      bytesInMemory = 0
    }
  }
}
