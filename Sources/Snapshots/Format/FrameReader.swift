import StorageBase

/// Reads the fields of a frame, after checking its tag, its size and its checksum. Never reads past
/// its end.
struct FrameReader {
  private let bytes: [UInt8]
  private var position = Frame.fieldsOffset
  private let end: Int
  private let place: Place
  /// The frame's own checksum, which is right.
  let checksum: UInt64

  /// Opens the frame that `bytes` are, all of them.
  init(
    _ bytes: [UInt8], _ tag: FrameTag, seed: UInt64, at place: Place
  ) throws(EmbeddingError) {
    self.bytes = bytes
    self.place = place
    guard bytes.count >= Frame.leastSize,
      bytes.word(at: Frame.magicOffset) == Frame.magic,
      bytes.word(at: Frame.sizeOffset) == UInt32(truncatingIfNeeded: bytes.count - Frame.tagOffset),
      bytes.word(at: Frame.tagOffset) == tag.rawValue
    else { throw place.damaged("the frame that must stand here does not") }
    end = bytes.count - Frame.checksumSize
    let computed = bytes.withUnsafeBytes {
      xxh3(UnsafeRawBufferPointer(rebasing: $0[..<($0.count - Frame.checksumSize)]), seed: seed)
    }
    checksum = bytes.withUnsafeBytes { [end] in
      UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: end, as: UInt64.self))
    }
    guard checksum == computed else { throw place.damaged("the checksum does not match") }
  }

  /// Bytes of fields not read yet.
  var remaining: Int { end - position }

  mutating func read<T: FixedWidthInteger>(_: T.Type) throws(EmbeddingError) -> T {
    let size = MemoryLayout<T>.size
    guard remaining >= size else { throw place.damaged("the frame is shorter than its fields") }
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
    guard remaining >= count, count <= Limits.nameBytes,
      let text = String(validating: bytes[position..<position + count], as: UTF8.self)
    else { throw place.damaged("a name is too long or not UTF-8") }
    position += count
    return text
  }

  /// `count` numbers of 64 bits.
  mutating func read(words count: Int) throws(EmbeddingError) -> [UInt64] {
    guard count <= remaining / 8 else {
      throw place.damaged("the frame is shorter than its fields")
    }
    defer { position += 8 * count }
    return bytes.withUnsafeBytes { bytes in
      (0..<count).map {
        UInt64(
          littleEndian: bytes.loadUnaligned(fromByteOffset: position + 8 * $0, as: UInt64.self))
      }
    }
  }

  /// Refuses fields that nothing is known of.
  func finish() throws(EmbeddingError) {
    guard remaining == 0 else { throw place.damaged("the frame is longer than its fields") }
  }
}

/// A place in a file, for messages.
struct Place {
  let file: String
  let offset: UInt64
  /// What stands there, such as `block 7`.
  let what: String

  init(_ file: String, _ offset: UInt64, _ what: String) {
    self.file = file
    self.offset = offset
    self.what = what
  }

  func damaged(_ how: String) -> EmbeddingError {
    EmbeddingError(
      .corruption,
      "\(file), byte \(offset), \(what): \(how). The file is damaged or cut short; take another "
        + "copy of it.")
  }
}

extension [UInt8] {
  /// The little-endian number of 32 bits at `offset`.
  func word(at offset: Int) -> UInt32 {
    withUnsafeBytes {
      UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
  }
}
