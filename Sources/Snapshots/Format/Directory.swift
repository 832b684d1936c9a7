import StorageBase

/// The frame that lists all pages and sections; the footer names its checksum. It is what an open
/// snapshot holds in memory: 36 bytes for each page, so about 1 MB for a billion rows of 128
/// floats.
struct Directory: Sendable {
  struct Page: Sendable, Equatable {
    /// The key of the first row of its first block.
    var firstKey: UInt64
    /// The checksum of the page.
    var checksum: UInt64
    /// Bytes of its blocks, which stand before it.
    var blocksLength: UInt64
    /// Bytes of the page's own frame.
    var length: UInt32
    var rowCount: UInt32
    var blockCount: UInt32

    static let size = 3 * 8 + 3 * 4
  }

  struct Section: Sendable {
    var name: String
    /// Whether a reader that does not know the section must refuse the file.
    var isRequired: Bool
    /// Bytes in the file.
    var storedLength: UInt64 = 0
    /// Bytes of its content.
    var contentLength: UInt64 = 0
    var pieceCount: UInt32 = 0
    /// The XXH3 of the checksums of its pieces' headers.
    var checksum: UInt64 = 0
  }

  var rowCount: UInt64 = 0
  var deletionCount: UInt64 = 0
  var rowPages: [Page] = []
  var deletionPages: [Page] = []
  var sections: [Section] = []

  func encoded(seed: UInt64) -> (bytes: [UInt8], checksum: UInt64) {
    var frame = FrameWriter(.directory)
    frame.write(rowCount)
    frame.write(deletionCount)
    frame.write(UInt32(rowPages.count))
    frame.write(UInt32(deletionPages.count))
    frame.write(UInt32(sections.count))
    for page in rowPages + deletionPages {
      frame.write(page.firstKey)
      frame.write(page.checksum)
      frame.write(page.blocksLength)
      frame.write(page.length)
      frame.write(page.rowCount)
      frame.write(page.blockCount)
    }
    for section in sections {
      frame.write(section.name)
      frame.write(UInt8(section.isRequired ? 1 : 0))
      frame.write(section.storedLength)
      frame.write(section.contentLength)
      frame.write(section.pieceCount)
      frame.write(section.checksum)
    }
    return frame.sealed(seed: seed)
  }

  /// Reads the directory; all that stands before it must add up to `contentEnd - contentStart`.
  static func decode(
    _ bytes: [UInt8], seed: UInt64, content: Range<UInt64>, isDelta: Bool, at place: Place
  ) throws(EmbeddingError) -> (directory: Directory, checksum: UInt64) {
    var frame = try FrameReader(bytes, .directory, seed: seed, at: place)
    var directory = Directory()
    directory.rowCount = try frame.read(UInt64.self)
    directory.deletionCount = try frame.read(UInt64.self)
    let rowPages = Int(try frame.read(UInt32.self))
    let deletionPages = Int(try frame.read(UInt32.self))
    let sections = Int(try frame.read(UInt32.self))
    guard (rowPages + deletionPages) <= frame.remaining / Page.size, sections <= Limits.sections,
      isDelta || deletionPages == 0
    else { throw place.damaged("it lists more than it has room for") }
    var position = content.lowerBound
    func advance(_ lengths: [UInt64]) throws(EmbeddingError) {
      for length in lengths {
        guard length <= content.upperBound - position else {
          throw place.damaged("it lists more than the file holds")
        }
        position += length
      }
    }
    func pages(_ count: Int, _ total: UInt64) throws(EmbeddingError) -> [Page] {
      var pages: [Page] = []
      pages.reserveCapacity(count)
      var rows: UInt64 = 0
      for _ in 0..<count {
        let page = Page(
          firstKey: try frame.read(UInt64.self), checksum: try frame.read(UInt64.self),
          blocksLength: try frame.read(UInt64.self), length: try frame.read(UInt32.self),
          rowCount: try frame.read(UInt32.self), blockCount: try frame.read(UInt32.self))
        try advance([page.blocksLength, UInt64(page.length)])
        guard pages.last.map({ $0.firstKey <= page.firstKey }) ?? true,
          (1...Limits.blocksPerPage).contains(Int(page.blockCount))
        else { throw place.damaged("its pages are not possible") }
        rows += UInt64(page.rowCount)
        pages.append(page)
      }
      guard rows == total else { throw place.damaged("its counts of rows do not add up") }
      return pages
    }
    directory.rowPages = try pages(rowPages, directory.rowCount)
    directory.deletionPages = try pages(deletionPages, directory.deletionCount)
    for _ in 0..<sections {
      let name = try frame.read(String.self)
      let isRequired = try frame.read(UInt8.self)
      let section = Section(
        name: name, isRequired: isRequired == 1, storedLength: try frame.read(UInt64.self),
        contentLength: try frame.read(UInt64.self), pieceCount: try frame.read(UInt32.self),
        checksum: try frame.read(UInt64.self))
      guard isRequired <= 1, !directory.sections.contains(where: { $0.name == name }) else {
        throw place.damaged("its sections are not possible")
      }
      try advance([section.storedLength])
      directory.sections.append(section)
    }
    try frame.finish()
    guard position == content.upperBound else {
      throw place.damaged("it lists less than the file holds")
    }
    return (directory, frame.checksum)
  }
}
