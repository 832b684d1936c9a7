import StorageBase

extension SnapshotReader {
  /// Index page `index` of `sequence`, from the cache if it is of rows.
  func page(_ index: Int, of sequence: BlockSequence) throws(EmbeddingError) -> LoadedPage {
    let isCached = sequence.kind == .rows
    if isCached, case .page(let page)? = cache.get(.page(index)) { return page }
    let page = try loadPage(index, of: sequence)
    if isCached { cache.put(.page(index), .page(page)) }
    return page
  }

  /// Reads and checks an index page.
  func loadPage(_ index: Int, of sequence: BlockSequence) throws(EmbeddingError) -> LoadedPage {
    let listed = sequence.pages[index]
    let offset = sequence.pageOffset(index)
    let place = Place(path, offset, "index page \(index) of \(sequence.kind.noun)")
    let (page, checksum) = try IndexPage.decode(
      try file.bytes(at: offset, Int(listed.length)), sequence.kind, rowsPerBlock: rowsPerBlock,
      seed: Frame.seed(header: headerChecksum, offset: offset), at: place)
    guard checksum == listed.checksum, page.entries.count == Int(listed.blockCount),
      page.entries[0].firstKey == listed.firstKey,
      page.entries.reduce(0, { $0 + UInt64($1.length) }) == listed.blocksLength,
      page.entries.reduce(0, { $0 + UInt64($1.rowCount) }) == UInt64(listed.rowCount)
    else { throw place.damaged("it is not the one that the directory names") }
    return LoadedPage(
      page, offset: sequence.offsets[index], firstRow: sequence.firstRows[index])
  }

  /// Block `index` of a page of rows with `columns` at least, from the cache or the file.
  func block(
    _ index: Int, of page: LoadedPage, _ pageIndex: Int, columns: SnapshotColumns
  ) throws(EmbeddingError) -> DecodedBlock {
    let key = BlockCache.Key.block(page: pageIndex, index: index)
    if case .block(let block)? = cache.get(key), block.columns >= columns { return block }
    let block = try withDecoder(.rows) { (decoder) throws(EmbeddingError) -> DecodedBlock in
      try loadBlock(index, of: page, pageIndex, columns: columns, decoder)
    }
    cache.put(key, .block(block))
    return block
  }

  /// Reads, checks and decodes a block.
  func loadBlock(
    _ index: Int, of page: LoadedPage, _ pageIndex: Int, columns: SnapshotColumns,
    _ decoder: BlockDecoder
  ) throws(EmbeddingError) -> DecodedBlock {
    let entry = page.page.entries[index]
    let offset = page.offsets[index]
    let layout = decoder.layout
    let place = Place(
      path, offset, "block \(index) of page \(pageIndex) of \(layout.kind.noun)")
    let bytes = try file.bytes(at: offset, entry.length(of: columns))
    let header = try header(bytes, index, of: page, layout, at: place)
    let headerLength = layout.headerLength
    return try bytes.withBytes { (bytes) throws(EmbeddingError) -> DecodedBlock in
      try decoder.decode(
        header, UnsafeRawBufferPointer(rebasing: bytes[headerLength...]), columns: columns,
        at: place)
    }
  }

  /// Reads and checks the header of a block alone.
  func loadHeader(
    _ index: Int, of page: LoadedPage, _ pageIndex: Int, _ layout: BlockLayout
  ) throws(EmbeddingError) -> BlockHeader {
    let offset = page.offsets[index]
    let bytes = try file.bytes(
      at: offset, min(layout.headerLength, Int(page.page.entries[index].length)))
    return try header(
      bytes, index, of: page, layout,
      at: Place(path, offset, "block \(index) of page \(pageIndex) of \(layout.kind.noun)"))
  }

  /// The header that a block, or its beginning, starts with; it must be the one that the index
  /// names.
  private func header(
    _ bytes: [UInt8], _ index: Int, of page: LoadedPage, _ layout: BlockLayout, at place: Place
  ) throws(EmbeddingError) -> BlockHeader {
    let entry = page.page.entries[index]
    let headerLength = layout.headerLength
    guard bytes.count >= headerLength else { throw place.damaged("it is shorter than its header") }
    let (header, checksum) = try BlockHeader.decode(
      Array(bytes[..<headerLength]), layout: layout, rowsPerBlock: rowsPerBlock,
      seed: Frame.seed(header: headerChecksum, offset: page.offsets[index]), at: place)
    func length(_ columns: SnapshotColumns) -> Int {
      headerLength + header.payloadLength(ofFirst: layout.partCount(of: columns))
    }
    guard checksum == entry.checksum, header.firstKey == entry.firstKey,
      header.rowCount == Int(entry.rowCount), header.firstRow == page.firstRows[index],
      length(.metadata) == Int(entry.metadataLength), length(.vectors) == Int(entry.lookupLength),
      length(.all) == Int(entry.length)
    else { throw place.damaged("it is not the one that the index names") }
    return header
  }
}
