import CZstd
import StorageBase

/// The pages of a plane of vectors: where it is compressed, every so many rows are a frame of their
/// own, so that a lookup opens a few thousand bytes rather than the whole block.
enum PlanePages {
  /// Bytes of a page, about: less costs space and more costs lookups time.
  private static let targetLength = 2_048

  /// The rows of a page.
  static func rowCount(dimension: Int) -> Int { max(1, targetLength / dimension) }

  /// Where the frames of a part stand in it: one for all of its content, or one for each page.
  static func frames(
    _ part: UnsafeRawBufferPointer, contentLength: Int, pageLength: Int, at place: Place
  ) throws(EmbeddingError) -> [Range<Int>] {
    var frames: [Range<Int>] = []
    var position = 0
    while position < part.count {
      let rest = UnsafeRawBufferPointer(rebasing: part[position...])
      let length = ZSTD_findFrameCompressedSize(rest.baseAddress, rest.count)
      guard ZSTD_isError(length) == 0, length > 0, length <= rest.count else {
        throw place.damaged("a compressed column is not made of frames")
      }
      frames.append(position..<position + length)
      position += length
    }
    let pageCount = (contentLength + pageLength - 1) / pageLength
    guard frames.count == 1 || frames.count == pageCount else {
      throw place.damaged("a compressed column has \(frames.count) frames, not \(pageCount)")
    }
    return frames
  }
}
