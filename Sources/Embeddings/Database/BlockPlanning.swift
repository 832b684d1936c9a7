import LMDB
import StorageBase

/// Which blocks a commit's rows stand in, batch by batch, and where they are to be written, for the
/// thread that has the transaction.
struct BlockPlanning {
  private let rows: NumberedRows
  private let storage: TableStorage
  /// The blocks that the last commit has.
  private let oldBlocks: UInt64
  /// Blocks in a batch.
  private let capacity: Int
  private let mostBatches: Int
  private var place = NumberedRows.Place()
  private var free: [BlockBatch] = []
  private var made = 0
  private var planned = 0
  private let pace: Pace?
  /// Whether blocks get their places in the file when they are planned.
  private let hasFile: Bool
  /// What is left of the last page of the tree of blocks.
  private var roomOfLastPage = 0
  /// Batches should fit into the cache of a processor, but not be so small that to hand them over
  /// costs more than to lay them out.
  private static let batchBytes = 512 << 10
  private static let leastBatches = 8

  /// - Parameters:
  ///   - bytes: what all batches may take together.
  ///   - oldCount: the rows of the last commit.
  ///   - hasFile: whether blocks get places in the file.
  init(
    _ rows: NumberedRows, _ storage: TableStorage, bytes: Int, _ oldCount: UInt64, hasFile: Bool,
    pace: Pace?
  ) {
    self.hasFile = hasFile
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
  mutating func next(
    in transaction: borrowing WriteTransaction
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
      let pace = pace
      try withTree(in: transaction) { (tree) throws(EmbeddingError) in
        try batch.reserve(in: &tree, at: pace)
      }
    }
    return batch
  }

  /// Has LMDB write the blocks of a batch that have no place in the file. Their numbers rise: the place
  /// of each is near that of the one before it, and new ones come last.
  mutating func put(
    _ batch: BlockBatch, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    let (hasFile, pace) = (hasFile, pace)
    try withTree(in: transaction) { (tree) throws(EmbeddingError) in
      for i in 0..<batch.count where !batch.hasPlace(i) {
        if i % BlockEdits.blocksAtOnce == 0 { pace?.giveWay() }
        try batch.put(i, isInTree: hasFile, in: &tree)
      }
    }
  }

  private mutating func withTree(
    in transaction: borrowing WriteTransaction,
    _ body: (inout Appender) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    var room = roomOfLastPage
    try transaction.withAppender(storage.blocks, room: &room, body)
    roomOfLastPage = room
  }

  /// Takes a batch back that was written.
  mutating func takeBack(_ batch: BlockBatch) {
    batch.removeAll()
    free.append(batch)
  }
}
