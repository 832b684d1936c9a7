import CKernels
import LMDB
import StorageBase

/// The blocks of a table in one commit, found by their numbers from any number of threads.
///
/// `@unchecked Sendable`: the addresses are of the memory map, where the pages of a commit do not
/// change while its read transaction lives. Whoever makes one keeps the transaction that long.
final class CommittedBlocks: @unchecked Sendable {
  let layout: BlockLayout
  /// The rows of the table.
  let count: Int
  private let starts: [UnsafeRawPointer]

  /// Finds all blocks, in their order, and compares each with its checksum, once.
  init(_ table: borrowing CommittedTable) throws(EmbeddingError) {
    layout = table.storage.layout
    count = table.count
    var starts: [UnsafeRawPointer] = []
    starts.reserveCapacity(table.blockCount)
    try table.forEachBlock { (block, _) throws(EmbeddingError) in
      starts.append(block.bytes.baseAddress.unsafelyUnwrapped)
    }
    self.starts = starts
  }

  /// The block of row `row`, which there is, and the row's place there.
  @inline(__always)
  func find(_ row: UInt64) -> (block: BlockView, index: Int) {
    let place = layout.place(ofRow: row)
    let bytes = UnsafeRawBufferPointer(
      start: starts[Int(place.block)], count: layout.byteCount)
    return (BlockView(layout: layout, number: place.block, bytes: bytes), place.index)
  }

  /// Asks for the fields and the first floats of a row, which is read soon.
  @inline(__always)
  func prefetch(_ row: UInt64) {
    let (block, index) = find(row)
    let start = block.bytes.baseAddress.unsafelyUnwrapped
    ck_prefetch(start + layout.keysOffset + 8 * index)
    ck_prefetch(block.vector(index))
    if layout.slotCount > 0 { ck_prefetch(block.slots(index)) }
  }
}
