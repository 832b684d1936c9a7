import CKernels
import LMDB
import StorageBase

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Blocks of a table in one commit, all of them or those that changed, found by their numbers from
/// any number of threads.
///
/// `@unchecked Sendable`: the addresses are of the memory map, where the pages of a commit do not
/// change while its read transaction lives. Whoever makes one keeps the transaction that long. They
/// are written while it is made, and only read from then on.
final class CommittedBlocks: @unchecked Sendable {
  let layout: BlockLayout
  /// The rows of the table.
  let count: Int
  /// The addresses, 0 where they are not known, in memory of which the system gives only the pages
  /// that are written: a few changed blocks of a large table take little.
  private let starts: UnsafeMutablePointer<UInt>

  private init(room table: borrowing CommittedTable) throws(EmbeddingError) {
    layout = table.storage.layout
    count = table.count
    guard let memory = calloc(max(1, table.blockCount), MemoryLayout<UInt>.stride) else {
      throw EmbeddingError(.io, "There is no memory for the \(table.blockCount) blocks of a table.")
    }
    starts = memory.bindMemory(to: UInt.self, capacity: max(1, table.blockCount))
  }

  deinit { free(starts) }

  private func add(_ block: BlockView) {
    starts[Int(block.number)] = UInt(bitPattern: block.bytes.baseAddress.unsafelyUnwrapped)
  }

  /// Finds all blocks, in their order, and compares each with its checksum, once.
  convenience init(_ table: borrowing CommittedTable) throws(EmbeddingError) {
    try self.init(room: table)
    try table.forEachBlock { (block, _) throws(EmbeddingError) in add(block) }
  }

  /// Finds the blocks that were changed after a generation, in their order, compares each with its
  /// checksum, once, and hands it to `body` with its rows.
  convenience init(
    _ table: borrowing CommittedTable, changedAfter generation: UInt64,
    _ body: (BlockView, _ rows: Int) -> Void
  ) throws(EmbeddingError) {
    try self.init(room: table)
    try table.forEachBlock(changedAfter: generation) { (block, rows) throws(EmbeddingError) in
      guard block.isIntact else {
        throw table.storage.corruption("block \(block.number) does not match its checksum")
      }
      add(block)
      body(block, rows)
    }
  }

  /// The block of row `row`, which there is, and the row's place there.
  @inline(__always)
  func find(_ row: UInt64) -> (block: BlockView, index: Int) {
    let place = layout.place(ofRow: row)
    let bytes = UnsafeRawBufferPointer(
      start: UnsafeRawPointer(bitPattern: starts[Int(place.block)]), count: layout.byteCount)
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
