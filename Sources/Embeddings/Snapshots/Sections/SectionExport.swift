import LMDB
import Snapshots
import StorageBase

/// Writes the sections of a table whose ids have to earn their rows, as they are in one commit: whole,
/// in a delta as in a full snapshot, in memory that does not grow with them. Writes nothing for
/// other tables.
struct SectionExport {
  /// Bytes that are handed to the writer at a time, about.
  private static let bufferBytes = 1 << 18

  /// Appends them after all rows and deletions.
  func write(
    _ table: borrowing CommittedTable, to writer: SnapshotWriter
  ) throws(EmbeddingError) {
    let record = try table.view.tableRecord(table.storage.name)
    guard let life = SnapshotLife(record) else { return }
    try writer.appendSection(
      SectionKind.life.name, isRequired: SectionKind.life.isRequired,
      content: life.content.span.bytes)
    if try StoredFilter.record(in: table.view.transaction, tree: table.storage.state) != nil {
      try write(.admission, to: writer) { (emit) throws(EmbeddingError) in
        try AdmissionState.forEachChunk(of: table.storage.state, in: table.view.transaction) {
          (chunk) throws(EmbeddingError) in
          try emit { bytes in
            withUnsafeBytes(of: UInt32(chunk.count).littleEndian) { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: chunk)
          }
        }
      }
    }
    guard let shared = table.shared else { return }
    let slots = writer.description.storedSlotCount
    try write(.shared, to: writer) { (emit) throws(EmbeddingError) in
      try forEachRow(of: shared, in: table.view) { (block, index) throws(EmbeddingError) in
        try emit { bytes in SharedRow.append(block, index, slotCount: slots, to: &bytes) }
      }
    }
  }

  /// Writes a section; `fill` calls its argument for each thing in it.
  private func write(
    _ kind: SectionKind, to writer: SnapshotWriter,
    fill: (_ emit: ((inout [UInt8]) -> Void) throws(EmbeddingError) -> Void)
      throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    try writer.beginSection(kind.name, isRequired: kind.isRequired)
    var buffer = kind.tag
    try fill { (append) throws(EmbeddingError) in
      append(&buffer)
      if buffer.count >= Self.bufferBytes {
        try writer.appendToSection(buffer.span.bytes)
        buffer.removeAll(keepingCapacity: true)
      }
    }
    try writer.appendToSection(buffer.span.bytes)
    try writer.endSection()
  }

  /// Calls `body` with each row of a table of Int64 ids, in the order of these. All blocks are compared
  /// with their checksums first.
  private func forEachRow(
    of storage: TableStorage, in view: borrowing CommittedView,
    _ body: (_ block: BlockView, _ index: Int) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    let count = try view.tableRecord(storage.name).rowCount
    var readAhead = ReadAhead()
    for number in 0..<storage.layout.blockCount(rows: count) {
      _ = try storage.checkedBlock(number, in: view.transaction, &readAhead)
    }
    var written: UInt64 = 0
    try storage.forEachID(in: view.transaction) { (key, value) throws(EmbeddingError) in
      let row = storage.rowNumber(value)
      guard row < count else {
        throw storage.corruption("an id has row \(row), of \(count)")
      }
      let place = storage.layout.place(ofRow: row)
      let block = try storage.block(place.block, in: view.transaction)
      guard storage.treeKey(block.key(place.index)) == key else {
        throw storage.corruption("row \(row) is not that of the id that leads to it")
      }
      try body(block, place.index)
      written += 1
      return true
    }
    guard written == count else {
      throw storage.corruption("there are \(written) ids for \(count) rows")
    }
  }
}

/// A row of section `shared`: number, frequency and last step, 8 bytes each, then vector and slots.
enum SharedRow {
  static let headerBytes = 24

  static func byteCount(dimension: Int, slotCount: Int) -> Int {
    headerBytes + 4 * (dimension + slotCount)
  }

  fileprivate static func append(
    _ block: BlockView, _ index: Int, slotCount: Int, to bytes: inout [UInt8]
  ) {
    for field in [
      block.key(index), block.frequency(index), UInt64(bitPattern: block.lastStep(index)),
    ] {
      withUnsafeBytes(of: field.littleEndian) { bytes.append(contentsOf: $0) }
    }
    // Unsafe: the floats of the row stand in the map one after the other.
    bytes.append(
      contentsOf: UnsafeRawBufferPointer(
        start: block.vector(index), count: 4 * block.layout.dimension))
    if slotCount > 0 {
      bytes.append(
        contentsOf: UnsafeRawBufferPointer(start: block.slots(index), count: 4 * slotCount))
    }
  }

  /// Appends the row that the bytes are, which are as many as `byteCount` says.
  static func append(_ bytes: [UInt8], to batch: inout RowBatch) {
    bytes.withUnsafeBytes { bytes in
      func field(_ i: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * i, as: UInt64.self))
      }
      batch.ids.append(Int64(bitPattern: field(0)))
      batch.frequencies.append(field(1))
      batch.lastSteps.append(Int64(bitPattern: field(2)))
      let start = bytes.baseAddress.unsafelyUnwrapped + headerBytes
      batch.vectors.append(unaligned: start, count: batch.dimension)
      if batch.slotCount > 0 {
        batch.slots.append(unaligned: start + 4 * batch.dimension, count: batch.slotCount)
      }
    }
  }
}
