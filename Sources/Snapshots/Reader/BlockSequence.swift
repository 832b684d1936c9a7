/// The pages of one kind, with what adds up over them: where each begins, in bytes and in rows.
struct BlockSequence: Sendable {
  let kind: BlockKind
  let pages: [Directory.Page]
  let rowCount: UInt64
  /// The offset of the first block of each page, and after them the end.
  let offsets: [UInt64]
  /// The first row of each page.
  let firstRows: [UInt64]

  init(_ kind: BlockKind, _ pages: [Directory.Page], offset: UInt64) {
    self.kind = kind
    self.pages = pages
    var (offset, row) = (offset, UInt64(0))
    var offsets: [UInt64] = []
    var rows: [UInt64] = []
    for page in pages {
      offsets.append(offset)
      rows.append(row)
      offset += page.blocksLength + UInt64(page.length)
      row += UInt64(page.rowCount)
    }
    self.offsets = offsets + [offset]
    firstRows = rows
    rowCount = row
  }

  /// The offset of the frame of page `index`.
  func pageOffset(_ index: Int) -> UInt64 { offsets[index] + pages[index].blocksLength }

  /// The page that would hold `key`; nil before the first.
  func page(for key: UInt64) -> Int? {
    lastPosition(count: pages.count, atMost: key) { pages[$0].firstKey }
  }

  /// The page that holds row `row`, which there is.
  func page(ofRow row: UInt64) -> Int {
    lastPosition(count: pages.count, atMost: row) { firstRows[$0] } ?? 0
  }

  /// The number of blocks.
  var blockCount: Int { pages.reduce(0) { $0 + Int($1.blockCount) } }
}
