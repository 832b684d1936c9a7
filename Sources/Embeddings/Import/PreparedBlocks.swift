import StorageBase

/// Whole blocks, sealed, with numbers in a row, on their way to the tree.
///
/// One thread has them at a time: the one that fills them, then the one that writes them.
final class PreparedBlocks {
  let layout: BlockLayout
  /// The number of the first block.
  private(set) var first: UInt64 = 0
  private(set) var count = 0
  private var capacity = 0
  private var memory: UnsafeMutableRawPointer?

  init(layout: BlockLayout) { self.layout = layout }

  deinit { memory?.deallocate() }

  /// Makes room for `blocks` blocks. There must be none yet.
  func reserve(_ blocks: Int) {
    precondition(count == 0, "blocks would be lost")
    guard blocks > capacity else { return }
    memory?.deallocate()
    memory = .allocate(byteCount: blocks * layout.byteCount, alignment: 16)
    capacity = blocks
  }

  /// The memory for the next block, `number`, for the caller to fill before the next call.
  func append(number: UInt64) -> UnsafeMutableRawPointer {
    precondition(count < capacity, "there is no room for the block")
    if count == 0 { first = number }
    precondition(number == first + UInt64(count), "the blocks are not in a row")
    count += 1
    return memory.unsafelyUnwrapped + (count - 1) * layout.byteCount
  }

  /// The bytes of block `i` of these.
  subscript(i: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      start: memory.unsafelyUnwrapped + i * layout.byteCount, count: layout.byteCount)
  }

  func removeAll() { count = 0 }
}
