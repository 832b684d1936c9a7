/// An index page with the places of its blocks worked out. Immutable.
final class LoadedPage: Sendable {
  let page: IndexPage
  /// The offset in the file of each block.
  let offsets: [UInt64]
  /// The row with which each block begins.
  let firstRows: [UInt64]

  /// `offset` is that of the page's first block, `firstRow` its first row.
  init(_ page: IndexPage, offset: UInt64, firstRow: UInt64) {
    self.page = page
    var (offset, row) = (offset, firstRow)
    var offsets: [UInt64] = []
    var rows: [UInt64] = []
    for entry in page.entries {
      offsets.append(offset)
      rows.append(row)
      offset += UInt64(entry.length)
      row += UInt64(entry.rowCount)
    }
    self.offsets = offsets
    firstRows = rows
  }

  var byteCount: Int {
    page.entries.count * (IndexPage.Entry.size + 16) + page.filter.words.count * 8 + 128
  }
}

/// The position of the last element that is at most `key`, or nil; `keys` rise.
func lastPosition(
  count: Int, atMost key: UInt64, _ keys: (Int) -> UInt64
) -> Int? {
  var (low, high) = (0, count)
  while low < high {
    let middle = (low + high) / 2
    if keys(middle) <= key { low = middle + 1 } else { high = middle }
  }
  return low > 0 ? low - 1 : nil
}
