import StorageBase

/// Whole blocks, sealed, with numbers in a row, on their way to the tree.
///
/// One thread has them at a time: the one that fills them, then the one that writes them.
final class PreparedBlocks {
  let layout: BlockLayout
  /// The number of the first block.
  private(set) var first: UInt64 = 0
  private(set) var count = 0
  private(set) var pages: BlockPages

  init(layout: BlockLayout) {
    self.layout = layout
    pages = BlockPages(layout: layout, capacity: 0)
  }

  /// Makes room for `blocks` blocks. There must be none yet.
  func reserve(_ blocks: Int) {
    precondition(count == 0, "blocks would be lost")
    guard blocks > pages.capacity else { return }
    // Not both at once.
    pages = BlockPages(layout: layout, capacity: 0)
    pages = BlockPages(layout: layout, capacity: blocks)
  }

  /// The memory for the next block, `number`, for the caller to fill before the next call.
  func append(number: UInt64) -> UnsafeMutableRawPointer {
    precondition(count < pages.capacity, "there is no room for the block")
    if count == 0 { first = number }
    precondition(number == first + UInt64(count), "the blocks are not in a row")
    count += 1
    return pages[count - 1]
  }

  /// The number of the block behind the last one.
  var end: UInt64 { first + UInt64(count) }

  func removeAll() { count = 0 }
}
