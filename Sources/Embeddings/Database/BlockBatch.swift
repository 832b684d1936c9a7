import LMDB
import StorageBase

/// Blocks of a commit that are laid out and written together.
///
/// Planning belongs to the thread that has the transaction; laying blocks out and writing them to the
/// file, the larger part of the work, needs none and can be done in another one.
final class BlockBatch {
  private struct Block {
    let number: UInt64
    /// The rows that change.
    let rows: NumberedRows.Part
    /// What it was; nil for a new block, and where that stands in the new one's memory.
    let old: UnsafeRawPointer?
    let isNew: Bool
  }

  private let layout: BlockLayout
  private let pages: BlockPages
  /// Which of all batches this is now.
  var sequence = 0
  private var blocks: [Block] = []
  /// The rows of all blocks.
  private var rows: [PlacedRow] = []
  private static let rowsAhead = 8
  /// What they hold, once they are laid out (``BlockLayout/contentHash(_:number:)``).
  private var contents: [UInt64] = []
  /// By how much the sum of frequencies changes.
  private(set) var frequencyChange: UInt64 = 0
  /// A block that did not match its checksum.
  private(set) var damaged: UInt64?
  /// The system's error when the blocks were written to the file; 0 for none.
  private(set) var writeError: Int32 = 0

  init(layout: BlockLayout, capacity: Int) {
    self.layout = layout
    pages = BlockPages(layout: layout, capacity: capacity)
    blocks.reserveCapacity(capacity)
    rows.reserveCapacity(capacity * layout.rowsPerBlock)
    contents.reserveCapacity(capacity)
  }

  var count: Int { blocks.count }
  /// Rows that change in them.
  var rowCount: Int { rows.count }
  var isFull: Bool { blocks.count == pages.capacity }
  func removeAll() { blocks.removeAll(keepingCapacity: true) }
  func number(_ i: Int) -> UInt64 { blocks[i].number }
  func content(_ i: Int) -> UInt64 { contents[i] }

  /// Whether block `i` has a place in the file, and is written with the batch.
  func hasPlace(_ i: Int) -> Bool { pages.hasPlace(i) }

  /// Has LMDB write block `i`, at the cursor of `tree`.
  ///
  /// - Parameter isInTree: whether the block has its key there, new or not.
  func put(_ i: Int, isInTree: Bool, in tree: inout Appender) throws(EmbeddingError) {
    let block = blocks[i]
    try pages.put(i, number: block.number, isLast: block.isNew && !isInTree, in: &tree)
  }

  /// Adds a block whose rows `rows` change.
  ///
  /// - Parameter old: what it is in the last commit. If it does not stand alone, it is copied now,
  ///   since writing another block may move it.
  func plan(_ number: UInt64, rows: NumberedRows.Part, old: BlockView?, standsAlone: Bool) {
    var source = old?.bytes.baseAddress
    if !standsAlone, let start = source {
      pages[blocks.count].copyMemory(from: start, byteCount: layout.byteCount)
      source = nil
    }
    blocks.append(Block(number: number, rows: rows, old: source, isNew: old == nil))
  }

  /// Gives the blocks their places in the tree, and in the file.
  func reserve(in tree: inout Appender, at pace: Pace?) throws(EmbeddingError) {
    for (i, block) in blocks.enumerated() {
      if i % BlockEdits.blocksAtOnce == 0 { pace?.giveWay() }
      try pages.reserve(i, number: block.number, isLast: block.isNew, in: &tree)
    }
  }

  /// Writes the blocks that have places to the file, once they are laid out.
  func write(to file: PageFile) { writeError = pages.write(blocks.count, to: file) }

  /// Lays all blocks out, with `rowCount` rows in the table.
  func fill(from numbered: NumberedRows, rowCount: UInt64, at pace: Pace?) {
    frequencyChange = 0
    contents.removeAll(keepingCapacity: true)
    rows.removeAll(keepingCapacity: true)
    // First where all rows are, so that their memory can be asked for ahead across blocks.
    for block in blocks { numbered.appendRows(block.rows, inBlock: block.number, to: &rows) }
    for row in rows.prefix(Self.rowsAhead) { numbered.prefetch(row) }
    var next = 0
    for (i, block) in blocks.enumerated() {
      if i % BlockEdits.blocksAtOnce == 0 { pace?.giveWay() }
      let target = pages[i]
      var buffer = BlockBuffer(layout: layout, changing: target)
      if block.isNew {
        buffer.clear(butFloatsOf: block.rows.count)
      } else {
        if let old = block.old { target.copyMemory(from: old, byteCount: layout.byteCount) }
        guard buffer.view(number: block.number).isIntact else {
          damaged = block.number
          return
        }
      }
      for k in next..<next + block.rows.count {
        if k + Self.rowsAhead < rows.count { numbered.prefetch(rows[k + Self.rowsAhead]) }
        frequencyChange &+= numbered.copy(rows[k], to: &buffer, number: block.number)
      }
      next += block.rows.count
      let first = block.number * UInt64(layout.rowsPerBlock)
      if rowCount < first + UInt64(layout.rowsPerBlock) {
        buffer.truncate(toRows: Int(rowCount - first))
      }
      contents.append(buffer.seal(number: block.number))
    }
  }
}
