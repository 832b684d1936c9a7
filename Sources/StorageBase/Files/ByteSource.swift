/// Buffered sequential reading of a file, of standard input (`-`) or of a region of a file, with
/// Zstandard content decompressed on the way.
///
/// Bytes are lent in place, never copied out one by one. The buffer grows only as far as bytes
/// really arrive, so that no size claimed by a file can make it allocate.
package final class ByteSource {
  private enum Input {
    case stream(FileBox)
    case compressed(FileBox, ZstdStream)
    case region(RandomAccessFile, position: Int, end: Int)
  }

  /// Owns the descriptor, which an enumeration cannot hold as it is.
  private final class FileBox {
    let file: OpenFile
    var bytesRead = 0
    init(_ file: consuming OpenFile) { self.file = file }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(EmbeddingError) -> Int {
      let count = try file.read(into: buffer)
      bytesRead += count
      return count
    }
  }

  /// The path, or `standard input`, for messages.
  package let name: String
  /// The size of the file or region in bytes (compressed, if it is), or nil for a stream.
  package let totalBytes: Int?
  /// The offset of the next byte, in the decompressed content, or in the whole file for a region.
  package internal(set) var offset = 0
  /// The number of the line last lent, from 1.
  package internal(set) var lineNumber = 0

  private var input: Input
  private var atEnd = false
  var buffer: [UInt8]
  var start = 0
  var end = 0

  /// Opens `path`, or standard input for `-`.
  package init(path: String, bufferSize: Int = 1 << 18) throws(EmbeddingError) {
    let file = try OpenFile(reading: path)
    name = file.name
    totalBytes = try file.regularSize()
    let box = FileBox(file)
    input = .stream(box)
    buffer = [UInt8](repeating: 0, count: max(bufferSize, 16))
    if try fill(ZstdStream.magic.count) >= 4, buffer[..<4].elementsEqual(ZstdStream.magic) {
      input = .compressed(box, ZstdStream(buffer[start..<end]))
      (start, end, atEnd) = (0, 0, false)
    }
  }

  /// Reads `range` of `file`, as it stands.
  package init(_ file: RandomAccessFile, range: Range<Int>, bufferSize: Int = 1 << 18) {
    name = file.path
    totalBytes = range.count
    offset = range.lowerBound
    input = .region(file, position: range.lowerBound, end: range.upperBound)
    buffer = [UInt8](repeating: 0, count: max(16, min(bufferSize, range.count)))
  }

  /// Whether the content is being decompressed.
  package var isCompressed: Bool {
    if case .compressed = input { true } else { false }
  }

  /// The size of the content in bytes where it is known before reading it.
  package var contentSize: Int? { isCompressed ? nil : totalBytes }

  /// Bytes of the file read so far (compressed, if it is): at the end, ``totalBytes``.
  package var bytesRead: Int {
    switch input {
    case .stream(let box): box.bytesRead - (end - start)
    case .compressed(let box, _): box.bytesRead
    case .region(_, let position, let end):
      (totalBytes ?? 0) - (end - position) - (self.end - start)
    }
  }

  /// Buffers at least `count` bytes, or all there are; the number of bytes buffered.
  @discardableResult
  package func fill(_ count: Int) throws(EmbeddingError) -> Int {
    while end - start < count, !atEnd { try fillMore() }
    return end - start
  }

  /// Reads once, making room first.
  func fillMore() throws(EmbeddingError) {
    if end == buffer.count {
      if start > 0 {
        buffer.withUnsafeMutableBytes { bytes in
          bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
        }
        (start, end) = (0, end - start)
      } else {
        buffer.append(contentsOf: repeatElement(0, count: buffer.count))
      }
    }
    var count = 0
    var failure: EmbeddingError?
    buffer.withUnsafeMutableBytes { bytes in
      let room = UnsafeMutableRawBufferPointer(rebasing: bytes[end...])
      do throws(EmbeddingError) { count = try read(into: room) } catch { failure = error }
    }
    if let failure { throw failure }
    end += count
    if count == 0 { atEnd = true }
  }

  private func read(into room: UnsafeMutableRawBufferPointer) throws(EmbeddingError) -> Int {
    switch input {
    case .stream(let box):
      return try box.read(into: room)
    case .compressed(let box, let stream):
      return try stream.read(into: room, name: name, at: offset + end - start) {
        (bytes) throws(EmbeddingError) -> Int in
        try box.read(into: bytes)
      }
    case .region(let file, let position, let end):
      let count = try file.read(
        into: UnsafeMutableRawBufferPointer(rebasing: room[..<min(room.count, end - position)]),
        at: position)
      input = .region(file, position: position + count, end: end)
      return count
    }
  }

  /// Passes over `count` buffered bytes.
  package func consume(_ count: Int) {
    precondition(count <= end - start, "more bytes were consumed than are buffered")
    start += count
    offset += count
  }
}
