import StorageBase

/// The record of the database as a whole, under the key `database` of the tree `meta`.
struct DatabaseRecord: Sendable {
  static let key = "database"
  static let magic: UInt64 = 0x31_4244_424d_4589  // 0x89, "EMBDB1", 0
  static let version: UInt32 = 3

  var point = CommitPoint()
  /// Commits so far.
  var generation: UInt64 = 0
  /// The number that the next table gets.
  var nextTable: UInt32 = 1

  init() {}

  /// The fields; their checksum is added where they are stored.
  func encode() -> [UInt8] {
    var writer = RecordWriter()
    writer.write(Self.magic)
    writer.write(Self.version)
    writer.write(nextTable)
    writer.write(generation)
    writer.write(point.step)
    writer.write(point.batches)
    return writer.bytes
  }

  init(_ stored: UnsafeRawBufferPointer) throws(EmbeddingError) {
    guard stored.count >= 12, stored.loadUnaligned(as: UInt64.self) == Self.magic else {
      throw EmbeddingError(
        .unsupportedFormat, "The LMDB environment holds no embedding database.")
    }
    let version = stored.loadUnaligned(fromByteOffset: 8, as: UInt32.self)
    guard version == Self.version else {
      throw EmbeddingError(
        .unsupportedFormat,
        "The database has format version \(version); this library reads version \(Self.version). "
          + "Open it with the version that wrote it, export, and import here.")
    }
    var reader = try RecordReader(stored, name: Self.key)
    _ = try reader.read(UInt64.self)
    _ = try reader.read(UInt32.self)
    nextTable = try reader.read(UInt32.self)
    generation = try reader.read(UInt64.self)
    point = CommitPoint(
      step: try reader.read(Int64.self), batches: try reader.read(UInt64.self))
  }
}
