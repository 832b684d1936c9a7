import StorageBase

/// What is stored of a filter as a whole: its layers, and how far its partitions are.
struct FilterRecord: Equatable {
  static let name = "admission"
  static let version: UInt32 = 1

  var format: FilterFormat
  /// The first place of the partition that is rewritten next.
  var next: UInt64 = 0
  /// Bytes of partitions that are still to be rewritten for what the journal took.
  var debt: UInt64 = 0
  /// The last commit that rewrote a partition.
  var lastRewrite: UInt64 = 0
  /// Bytes of entries of an exact counter in partitions.
  var entryBytes: UInt64 = 0

  init(format: FilterFormat) { self.format = format }

  func encode() -> [UInt8] {
    var writer = RecordWriter()
    writer.write(Self.version)
    Self.write(format, to: &writer)
    for number in [next, debt, lastRewrite, entryBytes] { writer.write(number) }
    return RecordWriter.seal(writer.bytes, key: Self.name)
  }

  init(_ stored: UnsafeRawBufferPointer) throws(EmbeddingError) {
    var reader = try RecordReader(stored, name: Self.name)
    guard try reader.read(UInt32.self) == Self.version else {
      throw EmbeddingError(
        .unsupportedFormat,
        "The admission filter was written by a newer version of this library. Open the database "
          + "with that.")
    }
    format = try Self.readFormat(&reader)
    next = try reader.read(UInt64.self)
    debt = try reader.read(UInt64.self)
    lastRewrite = try reader.read(UInt64.self)
    entryBytes = try reader.read(UInt64.self)
    guard next < FilterFormat.endPlace, format.isExact || format.blocks(at: next) != nil,
      debt < 1 << 56, entryBytes < 1 << 56
    else { throw corruptFilter("its record contradicts itself") }
  }

  static func write(_ format: FilterFormat, to writer: inout RecordWriter) {
    writer.write(UInt8(format.isExact ? 1 : 0))
    writer.write(format.maximum)
    writer.write(UInt8(format.shapes.count))
    for shape in format.shapes {
      writer.write(UInt8(shape.cellBits))
      writer.write(UInt8(shape.hashes))
      writer.write(UInt16(shape.groupCells))
      writer.write(UInt64(shape.blocks))
      writer.write(UInt64(shape.capacity))
    }
  }

  static func readFormat(_ reader: inout RecordReader) throws(EmbeddingError) -> FilterFormat {
    let isExact = try reader.read(UInt8.self) != 0
    let maximum = try reader.read(UInt32.self)
    let count = Int(try reader.read(UInt8.self))
    var shapes: [LayerShape] = []
    for number in 0..<count {
      let cellBits = Int(try reader.read(UInt8.self))
      let hashes = Int(try reader.read(UInt8.self))
      let groupCells = Int(try reader.read(UInt16.self))
      let blocks = Int(clamping: try reader.read(UInt64.self))
      let capacity = Int(clamping: try reader.read(UInt64.self))
      guard [1, 4, 8, 16].contains(cellBits), (1...LayerShape.mostHashes).contains(hashes),
        groupCells > 0, hashes * groupCells * cellBits <= LayerShape.blockBytes(cellBits) * 8,
        (1...1 << 36).contains(blocks), (1...1 << 62).contains(capacity)
      else { throw corruptFilter("its record contradicts itself") }
      shapes.append(
        LayerShape(
          number: number, cellBits: cellBits, hashes: hashes, groupCells: groupCells,
          blocks: blocks, capacity: capacity))
    }
    guard maximum > 0, count <= LayerShape.mostLayers, isExact == shapes.isEmpty else {
      throw corruptFilter("its record contradicts itself")
    }
    return FilterFormat(isExact: isExact, maximum: maximum, shapes: shapes)
  }
}
