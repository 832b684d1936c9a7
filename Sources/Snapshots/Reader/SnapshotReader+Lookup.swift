package import StorageBase

extension SnapshotReader {
  /// Calls `found` with the position in the batch and the row of each of `ids` that has one, and
  /// returns how many there are. Absent ids are passed over: mostly by the filter, without reading
  /// a block. Ids may repeat; each is found. The order of the calls is that of the rows.
  ///
  /// A block is read and decoded once for all its ids in the batch.
  @discardableResult
  package func lookup(
    _ ids: borrowing IDBatch, columns: SnapshotColumns = .vectors,
    found: (Int, borrowing SnapshotRow) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) -> Int {
    guard ids.type == description.idType else {
      throw EmbeddingError(
        .invalidArgument,
        "\(path) has ids of type \(description.idType); the batch has \(ids.type).")
    }
    return try ids.withUnsafeIDs { (ids) throws(EmbeddingError) -> Int in
      try lookup(ids, columns, found)
    }
  }

  private func lookup(
    _ ids: UnsafeIDs, _ columns: SnapshotColumns,
    _ found: (Int, borrowing SnapshotRow) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) -> Int {
    var wanted: [(key: UInt64, position: Int)] = (0..<ids.count).map { i in
      (ids.int64s.map { IDKeys.key($0[i]) } ?? xxh3(ids.bytes(i)), i)
    }
    if ids.count > 1 { wanted.sort { $0.key < $1.key } }
    var cursor = BlockCursor(self, columns)
    var count = 0
    for (key, position) in wanted {
      let bytes = ids.int64s == nil ? ids.bytes(position) : nil
      guard let (block, index) = try cursor.find(key, bytes) else { continue }
      count += 1
      try found(position, SnapshotRow(block, index))
    }
    return count
  }

  /// Calls `found` with the position in the batch and the row for each of `ordinals`: positions
  /// among all rows in key order, from 0, each less than ``rowCount``. A block is decoded once.
  package func rows(
    at ordinals: Span<UInt64>, columns: SnapshotColumns = .vectors,
    found: (Int, borrowing SnapshotRow) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    var wanted = ordinals.indices.map { (row: ordinals[$0], position: $0) }
    wanted.sort { $0.row < $1.row }
    if let last = wanted.last, last.row >= rowCount {
      throw EmbeddingError(
        .invalidArgument, "\(path) has \(rowCount) rows; there is none at position \(last.row).")
    }
    var cursor = BlockCursor(self, columns)
    for (row, position) in wanted {
      let (block, index) = try cursor.row(row)
      try found(position, SnapshotRow(block, index))
    }
  }
}

/// Finds rows one after the other, holding on to the page and the block of the last one.
private struct BlockCursor {
  private let reader: SnapshotReader
  private let columns: SnapshotColumns
  private var pageIndex = -1
  private var page: LoadedPage?
  private var blockIndex = -1
  private var block: DecodedBlock?

  init(_ reader: SnapshotReader, _ columns: SnapshotColumns) {
    self.reader = reader
    self.columns = columns
  }

  /// The row whose key is `key`, and whose id is `bytes` if ids are byte strings.
  mutating func find(
    _ key: UInt64, _ bytes: UnsafeRawBufferPointer?
  ) throws(EmbeddingError) -> (DecodedBlock, Int)? {
    guard var pageIndex = reader.rows.page(for: key) else { return nil }
    // Ids with equal keys may begin in an earlier block than the last that begins with the key.
    while true {
      let page = try page(pageIndex)
      let entries = page.page.entries
      if page.page.filter.mayContain(key),
        var index = lastPosition(count: entries.count, atMost: key, { entries[$0].firstKey })
      {
        while true {
          let block = try block(index)
          if let row = Self.find(key, bytes, in: block) { return (block, row) }
          if index == 0 || entries[index].firstKey != key { break }
          index -= 1
        }
      }
      if pageIndex == 0 || entries[0].firstKey != key { return nil }
      pageIndex -= 1
    }
  }

  /// Row `row` of all, which there is.
  mutating func row(_ row: UInt64) throws(EmbeddingError) -> (DecodedBlock, Int) {
    let page = try page(reader.rows.page(ofRow: row))
    let index = lastPosition(count: page.firstRows.count, atMost: row) { page.firstRows[$0] } ?? 0
    return (try block(index), Int(row - page.firstRows[index]))
  }

  private mutating func page(_ index: Int) throws(EmbeddingError) -> LoadedPage {
    if index == pageIndex, let page { return page }
    let page = try reader.page(index, of: reader.rows)
    (pageIndex, self.page, blockIndex, block) = (index, page, -1, nil)
    return page
  }

  /// Block `index` of the page at hand.
  private mutating func block(_ index: Int) throws(EmbeddingError) -> DecodedBlock {
    if index == blockIndex, let block { return block }
    guard let page else { preconditionFailure("a block without its page") }
    let block = try reader.block(index, of: page, pageIndex, columns: columns)
    (blockIndex, self.block) = (index, block)
    return block
  }

  private static func find(
    _ key: UInt64, _ bytes: UnsafeRawBufferPointer?, in block: DecodedBlock
  ) -> Int? {
    let keys = block.keys
    guard let last = lastPosition(count: keys.count, atMost: key, { keys[$0] }), keys[last] == key
    else { return nil }
    guard let bytes else { return last }
    var index = last
    while index >= 0, keys[index] == key {
      let ids = block.rows.ids
      let range = Int(ids.offsets[index])..<Int(ids.offsets[index + 1])
      let isHere = ids.bytes.withUnsafeBytes {
        isEqual(UnsafeRawBufferPointer(rebasing: $0[range]), bytes)
      }
      if isHere { return index }
      index -= 1
    }
    return nil
  }
}
