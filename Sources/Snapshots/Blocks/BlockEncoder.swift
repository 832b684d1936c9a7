import CKernels
import StorageBase

/// Turns rows into blocks. One thread uses it at a time.
final class BlockEncoder {
  private let layout: BlockLayout
  private let table: String
  private let compressor = Compressor()
  private let planes = Scratch()
  private let scratch = Scratch()

  init(_ kind: BlockKind, _ description: SnapshotDescription) {
    layout = BlockLayout(kind, description)
    table = description.table
  }

  /// Encodes `rows`, which must be in order, into `block`.
  func encode(_ rows: borrowing RowBatch, into block: EncodedBlock) throws(EmbeddingError) {
    let count = rows.count
    let keys = IDKeys.keys(rows.ids)
    if let i = IDKeys.firstDisorder(rows.ids, keys: keys) {
      throw disorder(rows.ids[i - 1], rows.ids[i])
    }
    block.header = BlockHeader(kind: layout.kind)
    block.header.rowCount = count
    block.header.firstKey = keys[0]
    block.firstID = rows.ids[0]
    block.lastID = rows.ids[count - 1]
    block.payload.count = 0
    encodeIDs(rows.ids, keys, into: block)
    block.keys = keys
    guard layout.kind == .rows else { return }
    let frequencies = rows.frequencies.isEmpty ? zeros(count) : rows.frequencies
    block.header.frequencies = append(integers: frequencies, to: block)
    let steps = rows.lastSteps.isEmpty ? [Int64](repeating: 0, count: count) : rows.lastSteps
    block.header.lastSteps = append(integers: steps.map { IDKeys.key($0) }, to: block)
    try encodeVectors(rows, into: block)
    if layout.slotCount > 0 { encodeSlots(rows, into: block) }
  }

  private func zeros(_ count: Int) -> [UInt64] { [UInt64](repeating: 0, count: count) }

  private func encodeIDs(
    _ ids: borrowing IDColumn, _ keys: [UInt64], into block: EncodedBlock
  ) {
    switch layout.idType {
    case .int64:
      let differences = (1..<max(1, keys.count)).map { keys[$0] - keys[$0 - 1] }
      block.header.ids = append(integers: differences, to: block)
    case .bytes:
      let offsets = ids.offsets
      let lengths = (1..<offsets.count).map { UInt64(offsets[$0] - offsets[$0 - 1]) }
      block.header.ids = append(integers: lengths, to: block)
      block.header.idByteCount = ids.bytes.count
      ids.bytes.withUnsafeBytes { append($0, to: block) }
    }
  }

  private func encodeVectors(
    _ rows: borrowing RowBatch, into block: EncodedBlock
  ) throws(EmbeddingError) {
    let (count, dimension, encoding) = (rows.count, layout.dimension, layout.encoding)
    let values = count * dimension
    let scales = encoding == .int8 ? 4 * count : 0
    let parts = planes.take(scales + values * VectorColumn.width(encoding))
    let bad = rows.vectors.withUnsafeBufferPointer {
      VectorColumn.split($0, dimension: dimension, encoding, scratch: scratch, to: parts)
    }
    if let bad {
      throw EmbeddingError(
        .invalidArgument,
        "The vector of id \(rows.ids[bad / dimension]) of \(table) holds \(rows.vectors[bad]) at "
          + "element \(bad % dimension), which \(encoding) cannot hold. Choose float32, or bfloat16 "
          + "for values that are large only.")
    }
    if scales > 0 { append(UnsafeRawBufferPointer(rebasing: parts[..<scales]), to: block) }
    appendPlanes(
      UnsafeRawBufferPointer(rebasing: parts[scales...]), of: values,
      pageLength: layout.vectorPageLength, to: block)
  }

  private func encodeSlots(_ rows: borrowing RowBatch, into block: EncodedBlock) {
    let values = rows.count * layout.slotCount
    let parts = planes.take(4 * values)
    rows.slots.withUnsafeBufferPointer { slots in
      ck_split_planes(
        slots.baseAddress!, values, 4, parts.baseAddress!.assumingMemoryBound(to: UInt8.self))
    }
    appendPlanes(UnsafeRawBufferPointer(parts), of: values, to: block)
  }

  private func append(integers: [UInt64], to block: EncodedBlock) -> BlockHeader.Integers {
    integers.withUnsafeBufferPointer { values in
      let column = IntegerColumn.measure(values)
      let content = planes.take(Int(column.width) * values.count)
      IntegerColumn.split(values, column, to: content)
      append(UnsafeRawBufferPointer(content), to: block)
      return column
    }
  }

  private func appendPlanes(
    _ planes: UnsafeRawBufferPointer, of count: Int, pageLength: Int = .max,
    to block: EncodedBlock
  ) {
    for start in stride(from: 0, to: planes.count, by: count) {
      append(
        UnsafeRawBufferPointer(rebasing: planes[start..<start + count]), pageLength: pageLength,
        to: block)
    }
  }

  private func append(
    _ content: UnsafeRawBufferPointer, pageLength: Int = .max, to block: EncodedBlock
  ) {
    block.header.parts.append(
      compressor.append(content, pageLength: pageLength, to: block.payload))
  }
}

/// The error for two ids that do not stand in order.
func disorder(_ a: EmbeddingID, _ b: EmbeddingID) -> EmbeddingError {
  let what = a == b ? "Id \(a) comes twice" : "Id \(b) comes after id \(a)"
  return EmbeddingError(
    .invalidArgument,
    "\(what). A snapshot takes each id once: Int64 ids in rising order, byte strings in the order "
      + "of their XXH3, then of their bytes.")
}
