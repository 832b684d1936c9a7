import LMDB
import StorageBase

/// Which blocks a commit's rows stand in, batch by batch, and where they are to be written, for the
/// thread that has the transaction.
struct BlockPlanning {
  private let rows: NumberedRows
  private let storage: TableStorage
  /// The blocks that the last commit has.
  let oldBlocks: UInt64
  /// Blocks in a batch.
  private let capacity: Int
  private let mostBatches: Int
  private var place = NumberedRows.Place()
  private var free: [BlockBatch] = []
  private var made = 0
  private var planned = 0
  private let pace: Pace?
  /// What is left of the last page of the tree of blocks.
  private var roomOfLastPage = 0
  /// Batches should fit into the cache of a processor, but not be so small that to hand them over
  /// costs more than to lay them out.
  private static let batchBytes = 512 << 10
  private static let leastBatches = 8

  /// - Parameters:
  ///   - bytes: what all batches may take together.
  ///   - oldCount: the rows of the last commit.
  init(
    _ rows: NumberedRows, _ storage: TableStorage, bytes: Int, _ oldCount: UInt64, pace: Pace?
  ) {
    self.pace = pace
    self.rows = rows
    self.storage = storage
    let layout = storage.layout
    oldBlocks = layout.blockCount(rows: oldCount)
    // With what is known of each row beside its block.
    let blockBytes =
      layout.pages * BlockLayout.pageSize + layout.rowsPerBlock * MemoryLayout<PlacedRow>.stride
    capacity = max(
      1, min(min(bytes / Self.leastBatches, Self.batchBytes) / blockBytes, rows.count))
    mostBatches = max(Self.leastBatches, bytes / (capacity * blockBytes))
  }

  /// Batches that were planned, and not taken back.
  var underWay: Int { made - free.count }

  /// Plans the next batch; nil where there are no more rows, or as many batches as there may be are
  /// under way.
  ///
  /// - Parameter hasFile: whether its blocks get places in the file.
  mutating func next(
    hasFile: Bool, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> BlockBatch? {
    guard !free.isEmpty || made < mostBatches, var next = rows.number(place) else { return nil }
    if free.isEmpty {
      free.append(BlockBatch(layout: storage.layout, capacity: capacity))
      made += 1
    }
    let batch = free.removeLast()
    batch.sequence = planned
    planned += 1
    while true {
      let number = storage.layout.place(ofRow: next).block
      let end = rows.endOfRows(
        below: (number + 1) * UInt64(storage.layout.rowsPerBlock), from: place)
      batch.plan(
        number, rows: NumberedRows.Part(start: place, end: end),
        old: number < oldBlocks ? try storage.block(number, in: transaction) : nil,
        standsAlone: storage.blocksStandAlone)
      place = end
      guard !batch.isFull, let following = rows.number(place) else { break }
      next = following
    }
    if hasFile {
      // An old block stays where the last commit has it, to be read when the new one is laid out.
      var room = roomOfLastPage
      let pace = pace
      try transaction.withAppender(storage.blocks, room: &room) { (tree) throws(EmbeddingError) in
        try batch.reserve(in: &tree, at: pace)
      }
      roomOfLastPage = room
    }
    return batch
  }

  /// Takes a batch back that was written.
  mutating func takeBack(_ batch: BlockBatch) {
    batch.removeAll()
    free.append(batch)
  }
}
