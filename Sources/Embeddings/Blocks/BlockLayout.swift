import LMDB
import StorageBase

/// Where everything stands in a block: `rowsPerBlock` rows in one LMDB value, column by column.
///
///     +----------+-------------+------+-------------+-----------+---------------+-------------+
///     | checksum | generations | keys | frequencies | lastSteps | vectors       | slots       |
///     | u64      | u64         | u64  | u64         | i64       | f32 [rows, d] | f32 [rows,s]|
///     +----------+-------------+------+-------------+-----------+---------------+-------------+
///
/// The generation of a row is that of the commit that last wrote it; a row that only moved keeps
/// its own.
///
/// A block fills whole pages of the map: a value of `n * 4096 - 16` bytes stands alone on `n`
/// overflow pages of LMDB, whose first has a header of 16 bytes. The vectors of a block are
/// contiguous, so that scans run at the speed of memory. Values may stand at any address: every
/// load from a block is an unaligned one.
struct BlockLayout: Sendable, Hashable {
  /// Floats in a vector.
  let dimension: Int
  /// Floats of optimizer state.
  let slotCount: Int
  /// Pages of 4096 bytes that a block fills.
  let pages: Int
  /// Rows in a full block.
  let rowsPerBlock: Int
  /// 2^64 divided by that, rounded up.
  private let inverse: UInt64

  static let pageSize = PageFile.pageSize
  static let pageHeaderSize = PageFile.headerSize
  static let checksumSize = 8
  /// Generation, key, frequency and last step.
  static let rowFixedSize = 32
  /// The largest block that a new table gets, in pages.
  static let mostPages = 16

  /// The smallest block that wastes at most one part in twelve, or else the least wasteful one.
  ///
  /// Small blocks make commits cheap: a commit rewrites the blocks of the rows that changed, and
  /// rows that change together rarely stand together outside the head of a power law. Large ones
  /// make the tree of blocks smaller. Under a commit's scattered rows the first matters more; and
  /// LMDB keeps the memory of single pages for the next ones, but gets that of longer values afresh
  /// from the system, which took a sixth of the time of a large commit.
  init(dimension: Int, slotCount: Int) {
    var best = Self.smallestFit(dimension: dimension, slotCount: slotCount)
    let rowSize = Self.rowSize(dimension: dimension, slotCount: slotCount)
    func used(_ pages: Int) -> Double {
      Double(Self.rows(pages: pages, rowSize: rowSize) * rowSize)
        / Double(pages * Self.pageSize)
    }
    for pages in best...max(best, Self.mostPages) where 12 * used(best) < 11 {
      if used(pages) > used(best) { best = pages }
    }
    self.init(dimension: dimension, slotCount: slotCount, pages: best)
  }

  /// The layout with blocks of `pages` pages.
  init(dimension: Int, slotCount: Int, pages: Int) {
    self.dimension = dimension
    self.slotCount = slotCount
    self.pages = pages
    rowsPerBlock = Self.rows(
      pages: pages, rowSize: Self.rowSize(dimension: dimension, slotCount: slotCount))
    inverse = UInt64.max / UInt64(rowsPerBlock) &+ 1
  }

  static func smallestFit(dimension: Int, slotCount: Int) -> Int {
    let needed =
      rowSize(dimension: dimension, slotCount: slotCount) + checksumSize + pageHeaderSize
    return (needed + pageSize - 1) / pageSize
  }

  private static func rowSize(dimension: Int, slotCount: Int) -> Int {
    rowFixedSize + 4 * (dimension + slotCount)
  }

  private static func rows(pages: Int, rowSize: Int) -> Int {
    (pages * pageSize - pageHeaderSize - checksumSize) / rowSize
  }

  /// Bytes of a block's value.
  var byteCount: Int { pages * Self.pageSize - Self.pageHeaderSize }

  var generationsOffset: Int { Self.checksumSize }
  var keysOffset: Int { generationsOffset + 8 * rowsPerBlock }
  var frequenciesOffset: Int { keysOffset + 8 * rowsPerBlock }
  var lastStepsOffset: Int { frequenciesOffset + 8 * rowsPerBlock }
  var vectorsOffset: Int { lastStepsOffset + 8 * rowsPerBlock }
  var slotsOffset: Int { vectorsOffset + 4 * dimension * rowsPerBlock }

  /// The block of a row, and its place there.
  @inline(__always)
  func place(ofRow row: UInt64) -> (block: UInt64, index: Int) {
    // The rounding counts for nothing below 2^40: no block has 2^24 rows. Damage may name any row.
    let block =
      row >> 40 == 0 && rowsPerBlock > 1
      ? row.multipliedFullWidth(by: inverse).high : row / UInt64(rowsPerBlock)
    return (block, Int(row &- block &* UInt64(rowsPerBlock)))
  }

  /// The blocks that `rowCount` rows fill.
  func blockCount(rows rowCount: UInt64) -> UInt64 {
    (rowCount + UInt64(rowsPerBlock) - 1) / UInt64(rowsPerBlock)
  }

  /// The hash of a block's rows but for their generations, which knows the number of the block:
  /// equal for equal rows, whichever commits wrote them.
  func contentHash(_ block: UnsafeRawBufferPointer, number: UInt64) -> UInt64 {
    xxh3(UnsafeRawBufferPointer(rebasing: block[keysOffset...]), seed: number)
  }

  /// The checksum of a block whose contents have the hash `content`.
  func checksum(_ block: UnsafeRawBufferPointer, content: UInt64) -> UInt64 {
    xxh3(
      UnsafeRawBufferPointer(rebasing: block[generationsOffset..<keysOffset]), seed: content)
  }
}
