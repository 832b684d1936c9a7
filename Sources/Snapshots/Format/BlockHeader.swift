import StorageBase

/// The skippable frame before the parts of a block: what is needed to read them.
struct BlockHeader: Sendable {
  /// One part: the bytes of its frame, and their XXH3. Both are 0 for a part without content.
  struct Part: Sendable {
    var length: UInt32 = 0
    var checksum: UInt64 = 0
  }

  /// A column of integers: `base` added to what is stored in `width` bytes each.
  struct Integers: Sendable {
    var width: UInt8 = 0
    var base: UInt64 = 0
  }

  var kind: BlockKind
  var rowCount = 0
  /// Rows of the same kind before this block.
  var firstRow: UInt64 = 0
  /// The key of the first row (see ``IDKeys``).
  var firstKey: UInt64 = 0
  /// The bytes of all byte-string ids.
  var idByteCount = 0
  /// Differences of keys, or lengths of byte strings.
  var ids = Integers()
  var frequencies = Integers()
  var lastSteps = Integers()
  var parts: [Part] = []

  /// Bytes of the fields, without the parts.
  static let fieldsLength = 4 + 4 + 8 + 8 + 4 + 4 + 3 * 8

  /// Bytes of the parts.
  var payloadLength: Int { parts.reduce(0) { $0 + Int($1.length) } }

  /// Bytes of the first `count` parts.
  func payloadLength(ofFirst count: Int) -> Int {
    parts.prefix(count).reduce(0) { $0 + Int($1.length) }
  }

  func encoded(seed: UInt64) -> (bytes: [UInt8], checksum: UInt64) {
    var frame = FrameWriter(.block)
    frame.write(kind.rawValue)
    frame.write(UInt32(rowCount))
    frame.write(firstRow)
    frame.write(firstKey)
    frame.write(UInt32(idByteCount))
    frame.write(ids.width)
    frame.write(frequencies.width)
    frame.write(lastSteps.width)
    frame.write(UInt8(0))
    frame.write(ids.base)
    frame.write(frequencies.base)
    frame.write(lastSteps.base)
    for part in parts {
      frame.write(part.length)
      frame.write(part.checksum)
    }
    return frame.sealed(seed: seed)
  }

  /// Reads and checks the frame that `bytes` are; the second value is its checksum.
  static func decode(
    _ bytes: [UInt8], layout: BlockLayout, rowsPerBlock: Int, seed: UInt64, at place: Place
  ) throws(EmbeddingError) -> (header: BlockHeader, checksum: UInt64) {
    var frame = try FrameReader(bytes, .block, seed: seed, at: place)
    guard try frame.read(UInt32.self) == layout.kind.rawValue else {
      throw place.damaged("the block does not hold \(layout.kind.noun)")
    }
    var header = BlockHeader(kind: layout.kind)
    header.rowCount = Int(try frame.read(UInt32.self))
    header.firstRow = try frame.read(UInt64.self)
    header.firstKey = try frame.read(UInt64.self)
    header.idByteCount = Int(try frame.read(UInt32.self))
    header.ids.width = try frame.read(UInt8.self)
    header.frequencies.width = try frame.read(UInt8.self)
    header.lastSteps.width = try frame.read(UInt8.self)
    let reserved = try frame.read(UInt8.self)
    header.ids.base = try frame.read(UInt64.self)
    header.frequencies.base = try frame.read(UInt64.self)
    header.lastSteps.base = try frame.read(UInt64.self)
    for _ in 0..<layout.partCount {
      let length = try frame.read(UInt32.self)
      header.parts.append(Part(length: length, checksum: try frame.read(UInt64.self)))
    }
    try frame.finish()
    guard reserved == 0, (1...rowsPerBlock).contains(header.rowCount),
      max(header.ids.width, header.frequencies.width, header.lastSteps.width) <= 8
    else { throw place.damaged("a field has a value that version 1 does not know") }
    let isIDBytesInRange =
      switch layout.idType {
      case .int64: header.idByteCount == 0
      case .bytes:
        header.idByteCount >= header.rowCount && header.idByteCount <= Int(Int32.max)
          && (header.rowCount == 1 || header.idByteCount <= Limits.blockIDBytes)
      }
    guard isIDBytesInRange else { throw place.damaged("its ids have a size that is not possible") }
    for i in 0..<layout.partCount {
      let (length, stored) = (header.contentLength(i, layout), Int(header.parts[i].length))
      // A long id stands uncompressed, so that no small file makes for a large allocation.
      let limit = length > Limits.blockFloatBytes ? stored : stored * Limits.largestExpansion
      guard (length == 0) == (stored == 0), length <= limit else {
        throw place.damaged("part \(i) has a size that is not possible")
      }
    }
    return (header, frame.checksum)
  }

  /// The bytes of part `i` once decompressed.
  func contentLength(_ i: Int, _ layout: BlockLayout) -> Int {
    if i < layout.idParts {
      if i == 1 { return idByteCount }
      return Int(ids.width) * (layout.idType == .int64 ? rowCount - 1 : rowCount)
    }
    if i < layout.metadataParts {
      return Int(i == layout.idParts ? frequencies.width : lastSteps.width) * rowCount
    }
    if i < layout.metadataParts + layout.vectorParts {
      let isScale = layout.encoding == .int8 && i == layout.metadataParts
      return isScale ? 4 * rowCount : rowCount * layout.dimension
    }
    return rowCount * layout.slotCount
  }
}
