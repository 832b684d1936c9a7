import StorageBase

/// What stands in a skippable frame of our own.
enum FrameTag: UInt32 {
  case header = 0x4441_4548  // "HEAD"
  case block = 0x434F_4C42  // "BLOC"
  case page = 0x4547_4150  // "PAGE"
  case section = 0x5443_4553  // "SECT"
  case directory = 0x4345_5244  // "DREC"
  case footer = 0x544F_4F46  // "FOOT"
}

/// A skippable frame: magic, size, tag, fields, checksum.
enum Frame {
  /// The last of the 16 magic numbers that Zstandard sets aside for skippable frames.
  static let magic: UInt32 = 0x184D_2A5F
  static let magicOffset = 0
  static let sizeOffset = magicOffset + 4
  static let tagOffset = sizeOffset + 4
  static let fieldsOffset = tagOffset + 4
  static let checksumSize = 8
  /// A frame without fields.
  static let leastSize = fieldsOffset + checksumSize

  /// The seed of the checksum of a frame at `offset`: it belongs to this place of this file.
  static func seed(header: UInt64, offset: UInt64) -> UInt64 { mix64(header &+ offset) }
}

/// Writes a frame, field by field.
struct FrameWriter {
  private(set) var bytes: [UInt8] = []

  init(_ tag: FrameTag) {
    write(Frame.magic)
    write(UInt32(0))
    write(tag.rawValue)
  }

  mutating func write<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func write(_ value: Float) { write(value.bitPattern) }

  mutating func write(_ value: String) {
    let utf8 = Array(value.utf8)
    write(UInt32(utf8.count))
    bytes.append(contentsOf: utf8)
  }

  mutating func write(_ values: [UInt64]) {
    for value in values { write(value) }
  }

  /// The frame with its size and checksum, and the checksum.
  consuming func sealed(seed: UInt64) -> (bytes: [UInt8], checksum: UInt64) {
    let size = UInt32(bytes.count + Frame.checksumSize - Frame.tagOffset)
    withUnsafeBytes(of: size.littleEndian) {
      bytes.replaceSubrange(Frame.sizeOffset..<Frame.tagOffset, with: $0)
    }
    let checksum = bytes.withUnsafeBytes { xxh3($0, seed: seed) }
    write(checksum)
    return (bytes, checksum)
  }
}
