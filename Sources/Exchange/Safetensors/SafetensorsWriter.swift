import StorageBase

/// Writes the vectors as an F32 tensor `[n, dimension]`, and the ids as the I64 tensor `ids`, or as
/// the pair `id_offsets` and `id_bytes` in Arrow's layout.
///
/// Rows come one batch after the other, and their parts go to separate regions of the file. Only
/// the bytes of ids have a length not known before; they come last, and the header, in space
/// reserved for it, is written when everything else is.
final class SafetensorsWriter: RowWriter {
  private var file: AtomicFile
  private var tally: RowTally
  private let tensorName: String
  private let headerSize: Int
  private var ids: FileRegion
  private var vectors: FileRegion
  private var idBytes: FileRegion

  init(path: String, tally: RowTally, options: WriterOptions) throws(EmbeddingError) {
    self.tally = tally
    tensorName = options.tensorName
    let isReserved = [
      "", "__metadata__", SafetensorsNames.ids, SafetensorsNames.idBytes,
      SafetensorsNames.idOffsets,
    ].contains(tensorName)
    guard !isReserved, tensorName.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x22 && $0 != 0x5C }) else {
      throw EmbeddingError(
        .invalidArgument,
        "The tensor name '\(tensorName)' is taken, or has quotes, backslashes or control "
          + "characters."
      )
    }
    file = try AtomicFile(path: path)
    guard !file.isStream else {
      throw EmbeddingError(
        .invalidArgument,
        "safetensors is not written in order, so \(file.name) cannot take it; name a plain file.")
    }
    let idCount = tally.idType == .int64 ? tally.count : tally.count + 1
    let (floats, overflow) = tally.count.multipliedReportingOverflow(by: 4 * tally.dimension)
    guard !overflow, floats < Int.max / 2, idCount < Int.max / 32 else {
      throw EmbeddingError(.invalidArgument, "\(tally.count) rows are more than any file holds.")
    }
    headerSize = (512 + tensorName.utf8.count) / 8 * 8
    let start = 8 + headerSize
    ids = FileRegion(start: start, size: 8 * idCount)
    vectors = FileRegion(start: ids.end, size: floats)
    idBytes = FileRegion(start: vectors.end, size: 0)
    if tally.idType == .bytes { try appendOffset() }
  }

  func write(_ batch: borrowing RowBatch) throws(EmbeddingError) {
    try tally.add(batch)
    try vectors.append(batch.vectors.span.bytes, to: &file)
    switch tally.idType {
    case .int64:
      try ids.append(batch.ids.int64s.span.bytes, to: &file)
    case .bytes:
      for row in 0..<batch.count {
        let (start, end) = (Int(batch.ids.offsets[row]), Int(batch.ids.offsets[row + 1]))
        guard start < end else {
          throw EmbeddingError(
            .invalidArgument, "Id \(row) of the batch is empty; an id has at least one byte.")
        }
        try idBytes.append(batch.ids.bytes.span.bytes.extracting(start..<end), to: &file)
        try appendOffset()
      }
    }
  }

  func finish() throws(EmbeddingError) {
    try tally.finish()
    try vectors.flush(to: &file)
    try ids.flush(to: &file)
    try idBytes.flush(to: &file)
    try file.write(header().span.bytes, at: 0)
    try file.commit()
  }

  private func appendOffset() throws(EmbeddingError) {
    try ids.append([Int64(idBytes.length)].span.bytes, to: &file)
  }

  private func header() -> [UInt8] {
    func entry(_ name: String, _ dtype: String, _ shape: String, _ region: FileRegion) -> String {
      let start = region.start - 8 - headerSize
      return "\"\(name)\":{\"dtype\":\"\(dtype)\",\"shape\":[\(shape)],"
        + "\"data_offsets\":[\(start),\(start + region.length)]}"
    }
    var entries = [entry(tensorName, "F32", "\(tally.count),\(tally.dimension)", vectors)]
    switch tally.idType {
    case .int64:
      entries.append(entry(SafetensorsNames.ids, "I64", "\(tally.count)", ids))
    case .bytes:
      entries.append(entry(SafetensorsNames.idOffsets, "I64", "\(tally.count + 1)", ids))
      entries.append(entry(SafetensorsNames.idBytes, "U8", "\(idBytes.length)", idBytes))
    }
    let text = Array("{\(entries.joined(separator: ","))}".utf8)
    let length = (0..<8).map { UInt8(truncatingIfNeeded: headerSize >> (8 * $0)) }
    return length + text + [UInt8](repeating: 0x20, count: headerSize - text.count)
  }
}

/// A part of a file that grows from its start, through a buffer of its own.
private struct FileRegion {
  let start: Int
  /// Where the region must end, if its size is known.
  let end: Int
  private(set) var length = 0
  private var flushed = 0
  private var buffer: [UInt8] = []

  init(start: Int, size: Int) {
    self.start = start
    end = start + size
  }

  mutating func append(_ bytes: RawSpan, to file: inout AtomicFile) throws(EmbeddingError) {
    bytes.withUnsafeBytes { buffer.append(contentsOf: $0) }
    length += bytes.byteCount
    if buffer.count >= 1 << 16 { try flush(to: &file) }
  }

  mutating func flush(to file: inout AtomicFile) throws(EmbeddingError) {
    try file.write(buffer.span.bytes, at: start + flushed)
    flushed = length
    buffer.removeAll(keepingCapacity: true)
  }
}
