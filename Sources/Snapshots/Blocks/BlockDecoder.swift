import CKernels
import StorageBase

/// Rows read back, with their keys. Immutable, so that threads can share it.
final class DecodedBlock: Sendable {
  let rows: RowBatch
  /// The keys of the ids, rising.
  let keys: [UInt64]
  /// Rows of the same kind before the block.
  let firstRow: UInt64
  let columns: SnapshotColumns

  init(rows: RowBatch, keys: [UInt64], firstRow: UInt64, columns: SnapshotColumns) {
    self.rows = rows
    self.keys = keys
    self.firstRow = firstRow
    self.columns = columns
  }

  /// The memory it takes.
  var byteCount: Int {
    24 * keys.count + rows.ids.bytes.count + 12 * rows.ids.offsets.count
      + 4 * (rows.vectors.count + rows.slots.count) + 256
  }
}

/// Turns the parts of blocks back into rows. One thread uses it at a time.
final class BlockDecoder {
  let layout: BlockLayout
  private let decompressor = Decompressor()
  private let planes = Scratch()
  private let scratch = Scratch()

  init(_ layout: BlockLayout) { self.layout = layout }

  /// Decodes the first parts of a block, up to those of `columns`, which `payload` begins with.
  /// Checks the checksum of each part before it is opened, and the order of the ids.
  func decode(
    _ header: BlockHeader, _ payload: UnsafeRawBufferPointer, columns: SnapshotColumns,
    at place: Place
  ) throws(EmbeddingError) -> DecodedBlock {
    let count = header.rowCount
    var parts = PartReader(header, layout, payload, place)
    let (ids, keys) = try decodeIDs(header, &parts, place)
    var rows = RowBatch(
      idType: layout.idType, dimension: layout.dimension, slotCount: layout.slotCount)
    rows.ids = ids
    if layout.kind == .rows {
      rows.frequencies = try integers(header.frequencies, count, &parts)
      rows.lastSteps = try integers(header.lastSteps, count, &parts).map { IDKeys.id($0) }
      if columns >= .vectors {
        rows.vectors = try decodeFloats(count * layout.dimension, layout.encoding, &parts)
      }
      if columns == .all, layout.slotCount > 0 {
        rows.slots = try decodeFloats(count * layout.slotCount, .float32, &parts)
      }
    }
    return DecodedBlock(rows: rows, keys: keys, firstRow: header.firstRow, columns: columns)
  }

  /// Decodes the ids alone, the first parts of `payload`.
  func decodeIDs(
    _ header: BlockHeader, _ payload: UnsafeRawBufferPointer, at place: Place
  ) throws(EmbeddingError) -> (IDColumn, [UInt64]) {
    var parts = PartReader(header, layout, payload, place)
    return try decodeIDs(header, &parts, place)
  }

  /// The content of a part, or of a page of one, whose checksum has been compared.
  func open(
    _ frame: UnsafeRawBufferPointer, into content: UnsafeMutableRawBufferPointer, at place: Place
  ) throws(EmbeddingError) {
    try decompressor.decompress(frame, into: content, at: place)
  }

  private func decodeIDs(
    _ header: BlockHeader, _ parts: inout PartReader, _ place: Place
  ) throws(EmbeddingError) -> (IDColumn, [UInt64]) {
    switch layout.idType {
    case .int64:
      let differences = try integers(header.ids, header.rowCount - 1, &parts)
      var keys = [header.firstKey]
      keys.reserveCapacity(header.rowCount)
      var key = header.firstKey
      for difference in differences {
        let (next, overflow) = key.addingReportingOverflow(difference)
        guard difference > 0, !overflow else { throw place.damaged("its ids are not in order") }
        key = next
        keys.append(key)
      }
      return (IDColumn(keys.map { IDKeys.id($0) }), keys)
    case .bytes:
      let lengths = try integers(header.ids, header.rowCount, &parts)
      var offsets: [Int32] = [0]
      offsets.reserveCapacity(header.rowCount + 1)
      var end = 0
      for length in lengths {
        guard length > 0, length <= UInt64(header.idByteCount - end) else {
          throw place.damaged("the lengths of its ids do not add up")
        }
        end += Int(length)
        offsets.append(Int32(end))
      }
      guard end == header.idByteCount else {
        throw place.damaged("the lengths of its ids do not add up")
      }
      let content = try parts.next(1, decompressor, into: planes)
      let ids = IDColumn(offsets: offsets, bytes: Array(content))
      let keys = IDKeys.keys(ids)
      guard keys[0] == header.firstKey, IDKeys.firstDisorder(ids, keys: keys) == nil else {
        throw place.damaged("its ids are not in order")
      }
      return (ids, keys)
    }
  }

  private func integers(
    _ column: BlockHeader.Integers, _ count: Int, _ parts: inout PartReader
  ) throws(EmbeddingError) -> [UInt64] {
    let content = try parts.next(1, decompressor, into: planes)
    return (0..<count).map { IntegerColumn.value(content, column, $0, of: count) }
  }

  private func decodeFloats(
    _ count: Int, _ encoding: ValueEncoding, _ parts: inout PartReader
  ) throws(EmbeddingError) -> [Float] {
    let partCount = encoding == .float32 ? 4 : 2
    let content = try parts.next(partCount, decompressor, into: planes)
    let dimension = layout.dimension
    return [Float](unsafeUninitializedCapacity: count) { floats, initialized in
      VectorColumn.join(
        content, dimension: dimension, encoding, scratch: scratch,
        into: UnsafeMutableBufferPointer(rebasing: floats[..<count]))
      initialized = count
    }
  }
}

/// Walks through the parts of a block.
struct PartReader {
  private let header: BlockHeader
  private let layout: BlockLayout
  private let payload: UnsafeRawBufferPointer
  private let place: Place
  private var part = 0
  private var position = 0

  init(
    _ header: BlockHeader, _ layout: BlockLayout, _ payload: UnsafeRawBufferPointer, _ place: Place
  ) {
    self.header = header
    self.layout = layout
    self.payload = payload
    self.place = place
  }

  /// The content of the next `count` parts side by side, in `memory`.
  mutating func next(
    _ count: Int, _ decompressor: Decompressor, into memory: Scratch
  ) throws(EmbeddingError) -> UnsafeRawBufferPointer {
    let lengths = (part..<part + count).map { header.contentLength($0, layout) }
    let content = memory.take(lengths.reduce(0, +))
    var start = 0
    for length in lengths {
      let stored = Int(header.parts[part].length)
      guard stored <= payload.count - position else { throw place.damaged("it is cut short") }
      let frame = UnsafeRawBufferPointer(rebasing: payload[position..<position + stored])
      if stored > 0 {
        guard xxh3(frame) == header.parts[part].checksum else {
          throw place.damaged("the checksum of part \(part) does not match")
        }
        let target = UnsafeMutableRawBufferPointer(rebasing: content[start..<start + length])
        if layout.vectorPlanes.contains(part) {
          try decompressor.decompress(
            pages: frame, of: layout.vectorPageLength, into: target, at: place)
        } else {
          try decompressor.decompress(frame, into: target, at: place)
        }
      } else if header.parts[part].checksum != 0 {
        throw place.damaged("a part without content has a checksum")
      }
      start += length
      position += stored
      part += 1
    }
    return UnsafeRawBufferPointer(content)
  }
}
