import StorageBase

/// Writes a record: little-endian fields one after the other, closed by an XXH3 of them all that
/// knows the key of the record, so that a record found under another key is not taken for its own.
struct RecordWriter {
  private(set) var bytes: [UInt8] = []

  mutating func write<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func write(_ value: Float) { write(value.bitPattern) }

  mutating func write(_ value: String) {
    let utf8 = Array(value.utf8)
    write(UInt32(utf8.count))
    bytes.append(contentsOf: utf8)
  }

  /// A record's fields with their checksum.
  static func seal(_ fields: [UInt8], key: String) -> [UInt8] {
    var writer = RecordWriter()
    writer.bytes = fields
    writer.write(checksum(fields, key: key))
    return writer.bytes
  }

  static func checksum(_ fields: [UInt8], key: String) -> UInt64 {
    let seed = Array(key.utf8).withUnsafeBytes { xxh3($0) }
    return fields.withUnsafeBytes { xxh3($0, seed: seed) }
  }
}

/// Reads a record back, after checking its checksum; never reads past its end.
struct RecordReader {
  private let bytes: [UInt8]
  private var position = 0
  private let name: String

  /// Checks and opens the record stored under `name`.
  init(_ stored: UnsafeRawBufferPointer, name: String) throws(EmbeddingError) {
    self.name = name
    bytes = Array(stored.dropLast(8))
    guard stored.count >= 8,
      RecordWriter.checksum(bytes, key: name)
        == stored.loadUnaligned(fromByteOffset: stored.count - 8, as: UInt64.self)
    else {
      throw EmbeddingError(
        .corruption,
        "Record \(name) of the database does not match its checksum. Restore a copy, or read what "
          + "is left with 'embstore verify'.")
    }
  }

  mutating func read<T: FixedWidthInteger>(_: T.Type) throws(EmbeddingError) -> T {
    let size = MemoryLayout<T>.size
    guard bytes.count - position >= size else { throw ended() }
    defer { position += size }
    return bytes.withUnsafeBytes {
      T(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: T.self))
    }
  }

  mutating func read(_: Float.Type) throws(EmbeddingError) -> Float {
    Float(bitPattern: try read(UInt32.self))
  }

  mutating func read(_: String.Type) throws(EmbeddingError) -> String {
    let count = Int(try read(UInt32.self))
    guard bytes.count - position >= count else { throw ended() }
    defer { position += count }
    return String(decoding: bytes[position..<position + count], as: UTF8.self)
  }

  private func ended() -> EmbeddingError {
    EmbeddingError(.corruption, "Record \(name) of the database is shorter than its fields.")
  }
}
