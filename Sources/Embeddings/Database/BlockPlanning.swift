import LMDB
import StorageBase

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
