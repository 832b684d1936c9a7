import StorageBase

/// The last frame: with the checksums that it holds, the file is proven whole.
struct Footer: Sendable {
  var headerLength: UInt32
  var headerChecksum: UInt64
  var directoryOffset: UInt64
  var directoryLength: UInt64
  var directoryChecksum: UInt64
  /// Bytes of the whole file.
  var fileLength: UInt64

  static let size = Frame.leastSize + 4 + 4 + 5 * 8

  func encoded() -> (bytes: [UInt8], checksum: UInt64) {
    var frame = FrameWriter(.footer)
    frame.write(Limits.version)
    frame.write(headerLength)
    frame.write(headerChecksum)
    frame.write(directoryOffset)
    frame.write(directoryLength)
    frame.write(directoryChecksum)
    frame.write(fileLength)
    return frame.sealed(seed: fileLength)
  }

  /// Reads the footer of a file of `fileLength` bytes.
  static func decode(
    _ bytes: [UInt8], fileLength: UInt64, file: String
  ) throws(EmbeddingError) -> (footer: Footer, checksum: UInt64) {
    let place = Place(file, fileLength - UInt64(bytes.count), "footer")
    var frame = try FrameReader(bytes, .footer, seed: fileLength, at: place)
    let version = try frame.read(UInt32.self)
    let footer = Footer(
      headerLength: try frame.read(UInt32.self), headerChecksum: try frame.read(UInt64.self),
      directoryOffset: try frame.read(UInt64.self), directoryLength: try frame.read(UInt64.self),
      directoryChecksum: try frame.read(UInt64.self), fileLength: try frame.read(UInt64.self))
    try frame.finish()
    let end = fileLength - UInt64(size)
    guard version == Limits.version, footer.fileLength == fileLength,
      footer.headerLength <= Limits.headerBytes,
      UInt64(footer.headerLength) <= footer.directoryOffset, footer.directoryOffset <= end,
      footer.directoryLength == end - footer.directoryOffset
    else { throw place.damaged("its sizes do not agree with the file's") }
    return (footer, frame.checksum)
  }
}
