import CKernels
package import StorageBase
import Synchronization

extension SnapshotReader {
  /// Copies the vectors of those of `ids` that have a row to `vectors`, `[ids.count, dimension]`
  /// and row-major, and notes which these are. Ids may repeat.
  ///
  /// The fastest way to single vectors: planes that are stored as they are give a row's bytes from
  /// the memory map, of compressed ones only the page of the row is opened, and kept.
  package func copyVectors(
    _ ids: borrowing IDBatch, to vectors: UnsafeMutablePointer<Float>, isFound: inout [Bool]
  ) throws(EmbeddingError) {
    try checkType(ids)
    guard ids.count > 0, rowCount > 0 else { return }
    let map = try map()
    try ids.withUnsafeIDs { (ids) throws(EmbeddingError) in
      let order = Self.order(ids)
      let layout = BlockLayout(.rows, description)
      var cursor = BlockCursor<BlockMap>(self) {
        (index, page, pageIndex) throws(EmbeddingError) -> BlockMap in
        try self.blockMap(index, of: page, pageIndex, map)
      }
      var row = RowReader(self, layout, map)
      for element in order {
        let position = Int(element.index)
        let bytes = ids.int64s == nil ? ids.bytes(position) : nil
        guard let (block, index) = try cursor.find(element.key, bytes) else { continue }
        isFound[position] = true
        try row.copy(
          index, of: block, cursor.pageIndex, cursor.blockIndex,
          to: vectors + position * layout.dimension)
      }
    }
  }

  func checkType(_ ids: borrowing IDBatch) throws(EmbeddingError) {
    guard ids.type == description.idType else {
      throw EmbeddingError(
        .invalidArgument,
        "\(path) has ids of type \(description.idType); the batch has \(ids.type).")
    }
  }

  /// The map of block `index` of a page, from the cache or the file.
  private func blockMap(
    _ index: Int, of page: LoadedPage, _ pageIndex: Int, _ map: MappedFile
  ) throws(EmbeddingError) -> BlockMap {
    let key = BlockCache.Key.map(page: pageIndex, index: index)
    if case .map(let block)? = cache.get(key) { return block }
    let block = try withDecoder(.rows) { (decoder) throws(EmbeddingError) -> BlockMap in
      try loadBlockMap(index, of: page, pageIndex, map, decoder)
    }
    cache.put(key, .map(block))
    return block
  }

  private func loadBlockMap(
    _ index: Int, of page: LoadedPage, _ pageIndex: Int, _ map: MappedFile,
    _ decoder: BlockDecoder
  ) throws(EmbeddingError) -> BlockMap {
    let layout = decoder.layout
    let header = try loadHeader(index, of: page, pageIndex, layout)
    let offset = page.offsets[index]
    let place = Place(path, offset, "block \(index) of page \(pageIndex) of \(BlockKind.rows.noun)")
    let start = Int(offset) + layout.headerLength
    let end = Int(offset) + Int(page.page.entries[index].lookupLength)
    guard end <= map.bytes.count else { throw place.damaged("the file ends before it") }
    let payload = UnsafeRawBufferPointer(rebasing: map.bytes[start..<end])
    let (ids, keys) = try decoder.decodeIDs(header, payload, at: place)
    // What was compared once since the file was opened is not compared again.
    let number = sequenceNumber(index, pageIndex)
    let isChecked = checked.withLock { $0.contains(number) }
    var planes: [BlockMap.Plane] = []
    var position = header.payloadLength(ofFirst: layout.metadataParts)
    for part in layout.metadataParts..<layout.metadataParts + layout.vectorParts {
      let length = Int(header.parts[part].length)
      let frames = UnsafeRawBufferPointer(rebasing: payload[position..<position + length])
      if !isChecked {
        guard xxh3(frames) == header.parts[part].checksum else {
          throw place.damaged("the checksum of part \(part) does not match")
        }
      }
      planes.append(
        try plane(
          part, frames, at: start + position, length: header.contentLength(part, layout), decoder,
          place))
      position += length
    }
    if !isChecked { checked.withLock { $0.insert(number) } }
    return BlockMap(keys: keys, ids: ids, planes: planes)
  }

  /// Where the bytes of a part are, which stands at `offset` of the file.
  private func plane(
    _ part: Int, _ frames: UnsafeRawBufferPointer, at offset: Int, length: Int,
    _ decoder: BlockDecoder, _ place: Place
  ) throws(EmbeddingError) -> BlockMap.Plane {
    let layout = decoder.layout
    let isPlane = layout.vectorPlanes.contains(part)
    if isPlane {
      if let content = RawFrame.offset(ofContent: length, in: frames) {
        return .stored(offset + content)
      }
      let pages = try PlanePages.frames(
        frames, contentLength: length, pageLength: layout.vectorPageLength, at: place)
      if pages.count > 1 || length <= layout.vectorPageLength {
        return .pages(pages.map { $0.lowerBound + offset..<$0.upperBound + offset })
      }
    }
    // Scales, and planes that another writer compressed as a whole.
    var content = [UInt8](repeating: 0, count: length)
    try content.withBytes(mutating: { (content) throws(EmbeddingError) in
      try decoder.open(frames, into: content, at: place)
    })
    return .content(content)
  }

  /// The opened page `number` of the compressed planes of a block.
  fileprivate func pageOfRows(
    _ number: Int, of block: BlockMap, _ pageIndex: Int, _ index: Int, _ map: MappedFile
  ) throws(EmbeddingError) -> PageOfRows {
    let key = BlockCache.Key.rows(page: pageIndex, index: index, number)
    if case .rows(let rows)? = cache.get(key) { return rows }
    let rows = try withDecoder(.rows) { (decoder) throws(EmbeddingError) -> PageOfRows in
      let layout = decoder.layout
      let first = number * layout.rowsPerPage
      let length = min(layout.rowsPerPage, block.keys.count - first) * layout.dimension
      let place = Place(path, 0, "block \(index) of page \(pageIndex) of \(BlockKind.rows.noun)")
      var failure: EmbeddingError?
      let bytes = [UInt8](unsafeUninitializedCapacity: block.pagedPlanes * length) {
        (bytes, initialized) in
        for case .pages(let frames) in block.planes {
          do throws(EmbeddingError) {
            try decoder.open(
              UnsafeRawBufferPointer(rebasing: map.bytes[frames[number]]),
              into: UnsafeMutableRawBufferPointer(
                rebasing: UnsafeMutableRawBufferPointer(bytes)[initialized..<initialized + length]),
              at: place)
          } catch {
            failure = error
            return
          }
          initialized += length
        }
      }
      if let failure { throw failure }
      return PageOfRows(bytes)
    }
    cache.put(key, .rows(rows))
    return rows
  }
}

/// Puts single vectors together from the planes of their blocks.
private struct RowReader {
  private let reader: SnapshotReader
  private let layout: BlockLayout
  private let map: MappedFile
  /// The parts of one row, as if it were a block.
  private let parts = Scratch()
  private let scratch = Scratch()
  private var page: PageOfRows?
  private var pagePlace = (-1, -1, -1)

  init(_ reader: SnapshotReader, _ layout: BlockLayout, _ map: MappedFile) {
    self.reader = reader
    self.layout = layout
    self.map = map
    _ = parts.take(4 + 4 * layout.dimension)
  }

  /// Copies the vector of row `row` of a block.
  mutating func copy(
    _ row: Int, of block: BlockMap, _ pageIndex: Int, _ index: Int,
    to vector: UnsafeMutablePointer<Float>
  ) throws(EmbeddingError) {
    let dimension = layout.dimension
    var number = 0
    if block.pagedPlanes > 0 {
      number = row / layout.rowsPerPage
      if page == nil || pagePlace != (pageIndex, index, number) {
        page = try reader.pageOfRows(number, of: block, pageIndex, index, map)
        pagePlace = (pageIndex, index, number)
      }
    }
    // Unsafe: rows stand at any address of the map. Planes have `keys.count * dimension` bytes, and
    // pages those of their rows, which was compared when they were opened.
    let target = parts.pointer
    let pageRow = row - number * layout.rowsPerPage
    let pageLength =
      min(layout.rowsPerPage, block.keys.count - number * layout.rowsPerPage) * dimension
    var position = 0
    var pageStart = 0
    for (i, plane) in block.planes.enumerated() {
      if layout.encoding == .int8, i == 0 {
        guard case .content(let scales) = plane else { continue }
        for k in 0..<4 {
          target.storeBytes(
            of: scales[k * block.keys.count + row], toByteOffset: k, as: UInt8.self)
        }
        position = 4
        continue
      }
      switch plane {
      case .stored(let offset):
        (target + position).copyMemory(
          from: map.bytes.baseAddress.unsafelyUnwrapped + offset + row * dimension,
          byteCount: dimension)
      case .pages:
        page?.bytes.withUnsafeBytes {
          (target + position).copyMemory(
            from: $0.baseAddress.unsafelyUnwrapped + pageStart + pageRow * dimension,
            byteCount: dimension)
        }
        pageStart += pageLength
      case .content(let bytes):
        bytes.withUnsafeBytes {
          (target + position).copyMemory(
            from: $0.baseAddress.unsafelyUnwrapped + row * dimension, byteCount: dimension)
        }
      }
      position += dimension
    }
    VectorColumn.join(
      UnsafeRawBufferPointer(start: target, count: position), dimension: dimension,
      layout.encoding, scratch: scratch,
      into: UnsafeMutableBufferPointer(start: vector, count: dimension))
  }
}

extension [UInt8] {
  /// Lends the bytes to be changed. (The standard library's function loses the type of the error.)
  fileprivate mutating func withBytes(
    mutating body: (UnsafeMutableRawBufferPointer) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    var failure: EmbeddingError?
    withUnsafeMutableBytes { bytes in
      do throws(EmbeddingError) { try body(bytes) } catch { failure = error }
    }
    if let failure { throw failure }
  }
}
