import CZstd
import StorageBase

/// Opens the Zstandard frames of parts. One thread uses it at a time.
final class Decompressor {
  private let context: OpaquePointer

  init() {
    guard let context = ZSTD_createDCtx() else { fatalError("out of memory") }
    self.context = context
  }

  deinit { ZSTD_freeDCtx(context) }

  /// Decompresses the one frame that `frame` is, all of it, into `content`, which it fills. What
  /// the frame says of itself must agree before a byte is written. Its XXH3 has been compared.
  func decompress(
    _ frame: UnsafeRawBufferPointer, into content: UnsafeMutableRawBufferPointer, at place: Place
  ) throws(EmbeddingError) {
    if RawFrame.read(frame, into: content) { return }
    guard frame.count >= 4,
      frame.loadUnaligned(as: UInt32.self).littleEndian == 0xFD2F_B528,
      ZSTD_getFrameContentSize(frame.baseAddress, frame.count) == UInt64(content.count),
      ZSTD_findFrameCompressedSize(frame.baseAddress, frame.count) == frame.count
    else { throw place.damaged("a compressed column is not one frame of its size") }
    let count = ZSTD_decompressDCtx(
      context, content.baseAddress, content.count, frame.baseAddress, frame.count)
    guard ZSTD_isError(count) == 0, count == content.count else {
      let reason = ZSTD_isError(count) == 0 ? "" : ": \(String(cString: ZSTD_getErrorName(count)))"
      throw place.damaged("a column cannot be decompressed\(reason)")
    }
  }

  /// Decompresses all frames of a part, which are one of all of `content`, or one for each
  /// `pageLength` bytes of it.
  func decompress(
    pages part: UnsafeRawBufferPointer, of pageLength: Int,
    into content: UnsafeMutableRawBufferPointer, at place: Place
  ) throws(EmbeddingError) {
    if RawFrame.read(part, into: content) { return }
    let frames = try PlanePages.frames(
      part, contentLength: content.count, pageLength: pageLength, at: place)
    var start = 0
    for frame in frames {
      let end = frames.count == 1 ? content.count : min(content.count, start + pageLength)
      try decompress(
        UnsafeRawBufferPointer(rebasing: part[frame]),
        into: UnsafeMutableRawBufferPointer(rebasing: content[start..<end]), at: place)
      start = end
    }
  }
}
