import StorageBase

/// The place of a byte-string id in a slab: 32 bytes, half a cache line, in which ids of up to 31
/// bytes stand themselves; of longer ones it holds the address.
///
///     +-------------+-------------------------------------------------+
///     | count, u8   | bytes [31]                                      |
///     +-------------+---------------+----------------+----------------+
///     | 255, u8     | (empty) [7]   | address, 8     | count, u64     |
///     +-------------+---------------+----------------+----------------+
///
/// Unsafe: raw memory of the cache, and for long ids memory of their own.
struct StoredID {
  static let stride = 32
  private static let mostInline = 31
  private static let isLong: UInt8 = 255

  let place: UnsafeMutableRawPointer

  /// The bytes.
  @inline(__always)
  var bytes: UnsafeRawBufferPointer {
    let count = place.load(as: UInt8.self)
    guard count == Self.isLong else {
      return UnsafeRawBufferPointer(start: place + 1, count: Int(count))
    }
    return UnsafeRawBufferPointer(
      start: place.load(fromByteOffset: 8, as: UnsafeRawPointer.self),
      count: place.load(fromByteOffset: 16, as: Int.self))
  }

  /// Bytes of memory of its own that an id of `count` bytes takes.
  static func allocation(_ count: Int) -> Int {
    count <= mostInline ? 0 : (count + 15) & ~15 + 16
  }

  /// Copies an id here. Its allocation is the caller's to count.
  func store(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count > Self.mostInline else {
      place.storeBytes(of: UInt8(bytes.count), as: UInt8.self)
      (place + 1).copyMemory(from: bytes.baseAddress.unsafelyUnwrapped, byteCount: bytes.count)
      return
    }
    let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes.count, alignment: 8)
    memory.copyMemory(from: bytes.baseAddress.unsafelyUnwrapped, byteCount: bytes.count)
    place.storeBytes(of: Self.isLong, as: UInt8.self)
    place.storeBytes(of: UnsafeRawPointer(memory), toByteOffset: 8, as: UnsafeRawPointer.self)
    place.storeBytes(of: bytes.count, toByteOffset: 16, as: Int.self)
  }

  /// Frees a long id's memory; returns what it took.
  func release() -> Int {
    guard place.load(as: UInt8.self) == Self.isLong else { return 0 }
    let bytes = bytes
    UnsafeMutableRawPointer(mutating: bytes.baseAddress.unsafelyUnwrapped).deallocate()
    place.storeBytes(of: 0, as: UInt8.self)
    return Self.allocation(bytes.count)
  }
}
