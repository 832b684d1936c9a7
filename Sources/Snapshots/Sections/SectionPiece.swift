import StorageBase

/// The skippable frame before each piece of a section; the piece is one Zstandard frame after it.
struct SectionPiece {
  var section: UInt32
  var number: UInt32
  var contentLength: UInt32
  var part: BlockHeader.Part

  static let size = Frame.leastSize + 3 * 4 + 12

  func encoded(seed: UInt64) -> (bytes: [UInt8], checksum: UInt64) {
    var frame = FrameWriter(.section)
    frame.write(section)
    frame.write(number)
    frame.write(contentLength)
    frame.write(part.length)
    frame.write(part.checksum)
    return frame.sealed(seed: seed)
  }

  static func decode(
    _ bytes: [UInt8], seed: UInt64, at place: Place
  ) throws(EmbeddingError) -> (piece: SectionPiece, checksum: UInt64) {
    var frame = try FrameReader(bytes, .section, seed: seed, at: place)
    let piece = SectionPiece(
      section: try frame.read(UInt32.self), number: try frame.read(UInt32.self),
      contentLength: try frame.read(UInt32.self),
      part: BlockHeader.Part(
        length: try frame.read(UInt32.self), checksum: try frame.read(UInt64.self)))
    try frame.finish()
    guard (1...Limits.sectionPieceBytes).contains(Int(piece.contentLength)), piece.part.length > 0
    else { throw place.damaged("the piece has a size that is not possible") }
    return (piece, frame.checksum)
  }

  /// Decompresses the piece's content, which `frame` is.
  func content(
    _ frame: UnsafeRawBufferPointer, _ decompressor: Decompressor, at place: Place
  ) throws(EmbeddingError) -> [UInt8] {
    guard xxh3(frame) == part.checksum else { throw place.damaged("the checksum does not match") }
    var content = [UInt8](repeating: 0, count: Int(contentLength))
    var span = content.mutableSpan
    try span.withUnsafeMutableBytes { (bytes) throws(EmbeddingError) in
      try decompressor.decompress(frame, into: bytes, at: place)
    }
    return content
  }
}

/// The checksum of a section: that of the checksums of its pieces.
func sectionChecksum(_ pieces: [UInt64]) -> UInt64 {
  pieces.map(\.littleEndian).withUnsafeBytes { xxh3($0) }
}

extension Directory.Section {
  /// Refuses pieces that are not what the directory lists.
  func check(
    checksums: [UInt64], storedLength: UInt64, contentLength: UInt64, at place: Place
  ) throws(EmbeddingError) {
    guard checksums.count == Int(pieceCount), storedLength == self.storedLength,
      contentLength == self.contentLength, sectionChecksum(checksums) == checksum
    else { throw place.damaged("it is not the section that the directory names") }
  }
}
