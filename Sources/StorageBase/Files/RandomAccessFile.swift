/// A regular file read at any offset, by any number of threads.
package final class RandomAccessFile: Sendable {
  private let file: OpenFile
  /// The path.
  package let path: String
  /// The size in bytes when the file was opened.
  package let size: Int

  /// Opens `path`, which must be a regular file.
  package init(path: String) throws(EmbeddingError) {
    file = try OpenFile(reading: path)
    self.path = path
    guard path != "-", let size = try file.regularSize() else {
      throw EmbeddingError(
        .invalidArgument,
        "\(file.name) is a stream, and this format is read in any order; save it to a file first.")
    }
    self.size = size
  }

  /// Fills `buffer` from `offset` on; fewer bytes only where the file ends.
  package func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(EmbeddingError) -> Int {
    var done = 0
    while done < buffer.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
      let count = try file.read(into: rest, at: offset + done)
      if count == 0 { break }
      done += count
    }
    return done
  }

  /// Maps the whole file, which must not be empty, for reading in place.
  package func map() throws(EmbeddingError) -> MappedFile {
    try MappedFile(descriptor: file.descriptor, byteCount: size, name: path)
  }
}
