import StorageBase

/// A page of the change index: 509 generations, behind their checksum. As a value of LMDB it fills
/// one overflow page.
///
///     +----------+-------------------+
///     | checksum | generations       |
///     | u64      | u64 [509]         |
///     +----------+-------------------+
struct ChangePage {
  static let count = 509
  static let byteCount = 8 * (1 + count)

  private var words: [UInt64]

  /// A page of zeros: nothing changed.
  init() { words = [UInt64](repeating: 0, count: 1 + Self.count) }

  /// Reads a stored page; nil where it does not match its checksum.
  init?(_ value: UnsafeRawBufferPointer, key: UInt64) {
    guard value.count == Self.byteCount else { return nil }
    self.init()
    // Values stand at any address.
    words.withUnsafeMutableBytes { $0.copyMemory(from: value) }
    guard words[0] == checksum(key: key) else { return nil }
  }

  subscript(index: Int) -> UInt64 { words[1 + index] }

  mutating func set(_ range: Range<Int>, to generation: UInt64) {
    for index in range { words[1 + index] = generation }
  }

  /// The greatest generation.
  var maximum: UInt64 { words[1...].max() ?? 0 }

  private func checksum(key: UInt64) -> UInt64 {
    words[1...].withUnsafeBytes { xxh3($0, seed: key) }
  }

  /// Lends the bytes to store under `key`, with their checksum.
  mutating func withSealedBytes(
    key: UInt64, _ body: (UnsafeRawBufferPointer) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    words[0] = checksum(key: key)
    try words.span.bytes.withUnsafeBytes(body)
  }
}
