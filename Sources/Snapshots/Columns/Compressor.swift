import CZstd
import StorageBase

/// Makes Zstandard frames of the parts of a block. One thread uses it at a time.
final class Compressor {
  private let context: OpaquePointer

  init() {
    guard let context = ZSTD_createCCtx() else { fatalError("out of memory") }
    self.context = context
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 1)
    // Planes of floats hardly repeat; their gain is in the coding of single bytes. A tiny table of
    // long matches finds what does repeat (constants, equal rows side by side), and is both faster
    // and smaller than what level 1 or 3 would choose.
    ZSTD_CCtx_setParameter(context, ZSTD_c_minMatch, 7)
    ZSTD_CCtx_setParameter(context, ZSTD_c_hashLog, 6)
  }

  deinit { ZSTD_freeCCtx(context) }

  /// Appends `content` to `output` as one frame; nothing if it is empty.
  func append(_ content: UnsafeRawBufferPointer, to output: Scratch) -> BlockHeader.Part {
    guard content.count > 0 else { return BlockHeader.Part() }
    let start = output.count
    let rawLength = RawFrame.length(content.count)
    let room = output.room(max(ZSTD_compressBound(content.count), rawLength))
    var length = rawLength
    // Above the size of any block of rows there are long ids only, which stay as they are.
    if content.count <= Limits.blockFloatBytes {
      length = ZSTD_compress2(
        context, room.baseAddress, room.count, content.baseAddress, content.count)
      guard ZSTD_isError(length) == 0 else {
        fatalError("zstd: \(String(cString: ZSTD_getErrorName(length)))")
      }
    }
    if length >= rawLength { length = RawFrame.write(content, to: room) }
    output.count += length
    let frame = UnsafeRawBufferPointer(start: output.pointer + start, count: length)
    return BlockHeader.Part(length: UInt32(length), checksum: xxh3(frame))
  }
}

/// A Zstandard frame whose blocks are all uncompressed (RFC 8878, 3.1.1): for content that does not
/// get smaller, at the speed of copying.
enum RawFrame {
  private static let blockSize = 128 << 10
  /// Magic, frame header descriptor, 4 bytes of content size; and at the end the checksum.
  private static let overhead = 4 + 1 + 4 + 4

  /// The bytes of a frame of `count` bytes of content.
  static func length(_ count: Int) -> Int {
    overhead + count + 3 * max(1, (count + blockSize - 1) / blockSize)
  }

  /// Writes a frame, and returns its length.
  static func write(
    _ content: UnsafeRawBufferPointer, to room: UnsafeMutableRawBufferPointer
  ) -> Int {
    var position = 0
    func put(_ bytes: some FixedWidthInteger, _ count: Int) {
      withUnsafeBytes(of: bytes.littleEndian) {
        UnsafeMutableRawBufferPointer(rebasing: room[position..<position + count])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<count]))
      }
      position += count
    }
    put(UInt32(0xFD2F_B528), 4)
    // 4 bytes of content size, a single segment, a checksum.
    put(UInt8(0b1010_0100), 1)
    put(UInt32(content.count), 4)
    var start = 0
    repeat {
      let count = min(blockSize, content.count - start)
      let isLast: UInt32 = start + count == content.count ? 1 : 0
      put(isLast | UInt32(count) << 3, 3)
      UnsafeMutableRawBufferPointer(rebasing: room[position..<position + count])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: content[start..<start + count]))
      position += count
      start += count
    } while start < content.count
    put(UInt32(truncatingIfNeeded: xxh64(content)), 4)
    return position
  }
}
