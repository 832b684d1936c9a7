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
    try checkType(ids)
    return try ids.withUnsafeIDs { (ids) throws(EmbeddingError) -> Int in
      try lookup(ids, columns, found)
    }
  }

  private func lookup(
    _ ids: UnsafeIDs, _ columns: SnapshotColumns,
    _ found: (Int, borrowing SnapshotRow) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) -> Int {
    let wanted = Self.order(ids)
    var cursor = cursor(columns)
    var count = 0
    for element in wanted {
      let position = Int(element.index)
      let bytes = ids.int64s == nil ? ids.bytes(position) : nil
      guard let (block, index) = try cursor.find(element.key, bytes) else { continue }
      count += 1
      try found(position, SnapshotRow(block, index))
    }
    return count
  }

  /// The keys of a batch and their positions, in the order of the file.
  static func order(_ ids: UnsafeIDs) -> [KeyedIndex] {
    var order: [KeyedIndex] = []
    order.reserveCapacity(ids.count)
    for i in 0..<ids.count {
      let key = ids.int64s.map { IDKeys.key($0[i]) } ?? xxh3(ids.bytes(i))
      order.append(KeyedIndex(key: key, index: UInt32(i)))
    }
    if ids.count > 1 { radixSort(&order) }
    return order
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
    var cursor = cursor(columns)
    for (row, position) in wanted {
      let (block, index) = try cursor.row(row)
      try found(position, SnapshotRow(block, index))
    }
  }
}

/// Finds rows one after the other, holding on to the page and the block of the last one.
struct BlockCursor<Block: BlockOfKeys> {
  /// Block `index` of a page, from the cache or the file.
  typealias Loader = (_ index: Int, LoadedPage, _ page: Int) throws(EmbeddingError) -> Block

  private let reader: SnapshotReader
  private let load: Loader
  private(set) var pageIndex = -1
  private(set) var page: LoadedPage?
  private(set) var blockIndex = -1
  private var block: Block?

  init(_ reader: SnapshotReader, _ load: @escaping Loader) {
    self.reader = reader
    self.load = load
  }

  /// The row whose key is `key`, and whose id is `bytes` if ids are byte strings.
  mutating func find(
    _ key: UInt64, _ bytes: UnsafeRawBufferPointer?
  ) throws(EmbeddingError) -> (Block, Int)? {
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
          if let row = block.find(key, bytes) { return (block, row) }
          if index == 0 || entries[index].firstKey != key { break }
          index -= 1
        }
      }
      if pageIndex == 0 || entries[0].firstKey != key { return nil }
      pageIndex -= 1
    }
  }

  /// Row `row` of all, which there is.
  mutating func row(_ row: UInt64) throws(EmbeddingError) -> (Block, Int) {
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
  private mutating func block(_ index: Int) throws(EmbeddingError) -> Block {
    if index == blockIndex, let block { return block }
    guard let page else { preconditionFailure("a block without its page") }
    let block = try load(index, page, pageIndex)
    (blockIndex, self.block) = (index, block)
    return block
  }
}

extension SnapshotReader {
  /// A cursor over blocks with `columns` at least.
  private func cursor(_ columns: SnapshotColumns) -> BlockCursor<DecodedBlock> {
    BlockCursor(self) { (index, page, pageIndex) throws(EmbeddingError) -> DecodedBlock in
      try self.block(index, of: page, pageIndex, columns: columns)
    }
  }
}
