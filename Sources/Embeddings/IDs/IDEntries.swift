import StorageBase

/// The value under a hash in the id tree of a table with byte-string ids: the ids that have this
/// hash (nearly always one), each with its row number and its bytes.
///
///     +-----+-----------+-------+     repeated to the end of the value
///     | row | byteCount | bytes |
///     | u64 | u32       |       |
///     +-----+-----------+-------+
struct IDEntries: Sequence {
  struct Entry {
    let row: UInt64
    let bytes: UnsafeRawBufferPointer
  }

  static let headerSize = 12

  let value: UnsafeRawBufferPointer

  struct Iterator: IteratorProtocol {
    var rest: UnsafeRawBufferPointer

    /// The next entry; nil at the end, or where the value ends within an entry.
    mutating func next() -> Entry? {
      guard rest.count > IDEntries.headerSize else { return nil }
      let row = rest.loadUnaligned(as: UInt64.self)
      let count = Int(rest.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
      guard rest.count - IDEntries.headerSize >= count else { return nil }
      let bytes = UnsafeRawBufferPointer(
        rebasing: rest[IDEntries.headerSize..<IDEntries.headerSize + count])
      rest = UnsafeRawBufferPointer(rebasing: rest[(IDEntries.headerSize + count)...])
      return Entry(row: row, bytes: bytes)
    }
  }

  func makeIterator() -> Iterator { Iterator(rest: value) }

  /// The row number of the id with these bytes.
  func row(of bytes: UnsafeRawBufferPointer) -> UInt64? {
    for entry in self where isEqual(entry.bytes, bytes) { return entry.row }
    return nil
  }

  /// The value with an entry added at its end.
  func appending(row: UInt64, bytes: UnsafeRawBufferPointer) -> [UInt8] {
    Array(value) + Self.encode(row: row, bytes: bytes)
  }

  /// The value without the entry of a row; empty if that was the only one.
  func removing(row: UInt64) -> [UInt8] {
    flatMap { $0.row == row ? [] : Self.encode(row: $0.row, bytes: $0.bytes) }
  }

  /// The value with the entry of row `old` moved to row `new`.
  func moving(row old: UInt64, to new: UInt64) -> [UInt8] {
    flatMap { Self.encode(row: $0.row == old ? new : $0.row, bytes: $0.bytes) }
  }

  static func encode(row: UInt64, bytes: UnsafeRawBufferPointer) -> [UInt8] {
    var entry: [UInt8] = []
    entry.reserveCapacity(headerSize + bytes.count)
    append(row: row, bytes: bytes, to: &entry)
    return entry
  }

  /// Appends an entry to a value.
  static func append(row: UInt64, bytes: UnsafeRawBufferPointer, to value: inout [UInt8]) {
    Swift.withUnsafeBytes(of: row.littleEndian) { value.append(contentsOf: $0) }
    Swift.withUnsafeBytes(of: UInt32(bytes.count).littleEndian) { value.append(contentsOf: $0) }
    value.append(contentsOf: bytes)
  }
}
