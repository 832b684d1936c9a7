import StorageBase

/// Writes vectors as a float32 npy `[n, dimension]`, and the ids to a file beside it: an int64 npy,
/// or text with one byte string a line.
///
/// Each file appears whole or not at all; the two together do not: where the second one cannot be
/// committed, the first is new already, and the export has to be made again.
final class NpyWriter: RowWriter {
  private var file: AtomicFile
  private var ids: AtomicFile
  private var tally: RowTally
  private var line: [UInt8] = []

  init(path: String, tally: RowTally, options: WriterOptions) throws(EmbeddingError) {
    let idsPath =
      if let named = options.idsPath { named } else {
        try Self.idsPath(beside: path, tally.idType)
      }
    self.tally = tally
    file = try AtomicFile(path: path)
    ids = try AtomicFile(path: idsPath)
    try file.write(Self.header("<f4", shape: "(\(tally.count), \(tally.dimension))"))
    if tally.idType == .int64 {
      try ids.write(Self.header("<i8", shape: "(\(tally.count),)"))
    }
  }

  func write(_ batch: borrowing RowBatch) throws(EmbeddingError) {
    try tally.add(batch)
    try file.write(batch.vectors.span.bytes)
    if tally.idType == .int64 {
      try ids.write(batch.ids.int64s.span.bytes)
      return
    }
    for row in 0..<batch.count {
      let id = batch.ids.bytes[Int(batch.ids.offsets[row])..<Int(batch.ids.offsets[row + 1])]
      guard !id.isEmpty, !id.contains(0x0A), id.last != 0x0D else {
        throw EmbeddingError(
          .invalidArgument,
          "The id '\(String(decoding: id, as: UTF8.self))' is empty or has a line end in it, which "
            + "a file of one id a line cannot hold; write safetensors instead.")
      }
      line.removeAll(keepingCapacity: true)
      line.append(contentsOf: id)
      line.append(0x0A)
      try ids.write(line)
    }
  }

  /// Commits the ids first: a matrix is never seen without them.
  func finish() throws(EmbeddingError) {
    try tally.finish()
    try ids.commit()
    try file.commit()
  }

  private static func idsPath(
    beside path: String, _ type: IDType
  ) throws(EmbeddingError) -> String {
    guard path != "-" else {
      throw EmbeddingError(
        .invalidArgument, "An npy on standard output needs a path for the file of its ids.")
    }
    let stem = hasSuffix(path, ".npy") ? String(path.dropLast(4)) : path
    return stem + (type == .int64 ? ".ids.npy" : ".ids.txt")
  }

  /// A version 1 header, padded so that the data begins at a multiple of 64.
  private static func header(_ descr: String, shape: String) -> [UInt8] {
    let text = "{'descr': '\(descr)', 'fortran_order': False, 'shape': \(shape), }"
    let unpadded = NpyHeader.magic.count + 4 + text.utf8.count + 1
    let padding = (64 - unpadded % 64) % 64
    let length = text.utf8.count + padding + 1
    return NpyHeader.magic + [1, 0, UInt8(length & 0xFF), UInt8(length >> 8)] + Array(text.utf8)
      + [UInt8](repeating: 0x20, count: padding) + [0x0A]
  }
}
