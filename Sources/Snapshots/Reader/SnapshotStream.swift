package import StorageBase

/// Reads a snapshot from its beginning to its end, once: from standard input (`-`), a pipe, or a
/// file, compressed once more or not.
///
/// Each block is compared with its checksums before it is given out. That the file is whole, and
/// that nothing is missing, shows only at its end: what was read counts once ``next(into:)`` has
/// returned nil without an error.
package final class SnapshotStream {
  /// What a batch holds.
  package enum Content: Sendable { case rows, deletions }

  /// The path, or `standard input`.
  package var name: String { source.name }
  /// What the snapshot is.
  package let description: SnapshotDescription
  /// Bytes of the source read so far.
  package var bytesRead: Int { source.bytesRead }
  /// The size of the source; nil for one that can be read only once.
  package var totalBytes: Int? { source.totalBytes }
  /// Rows read so far.
  package private(set) var rowCount: UInt64 = 0
  /// Deletions read so far.
  package private(set) var deletionCount: UInt64 = 0

  /// Whether ``next(into:)`` returns nil where the first section begins, so that ``nextPiece()`` can
  /// read them, and with them to the end of the file.
  package var stopsAtSections = false
  /// The names of the sections, known at the end of the file.
  package private(set) var sectionNames: [String] = []

  /// A piece of a section. Which one that is, the directory says, at the end.
  package struct Piece: Sendable {
    package var section: Int
    package var number: Int
    package var content: [UInt8]
  }

  private let source: ByteSource
  private let knownSections: Set<String>
  private let header: HeaderFrame
  private let headerLength: Int
  private let headerChecksum: UInt64
  private let layouts: [BlockKind: BlockLayout]
  private let decoders: [BlockKind: BlockDecoder]
  private let decompressor = Decompressor()
  /// What the directory must turn out to list.
  private var seen = Directory()
  private var entries: [IndexPage.Entry] = []
  private var keys: [UInt64] = []
  private var kind = BlockKind.rows
  private var lastID: EmbeddingID?
  private var pieces: [[(checksum: UInt64, stored: UInt64, content: UInt64)]] = []
  private var isAtEnd = false

  /// Opens `path`, or standard input for `-`, and reads the header. A file that requires sections
  /// other than `knownSections` is refused, at its end.
  package init(
    path: String, knownSections: Set<String> = SnapshotSection.defined
  ) throws(EmbeddingError) {
    self.knownSections = knownSections
    source = try ByteSource(path: path)
    let name = source.name
    let start = try source.peek(Frame.fieldsOffset + 12) { $0.array }
    try HeaderFrame.checkVersion(start, file: name)
    let length = Int(start.word(at: Frame.sizeOffset)) + Frame.tagOffset
    guard length <= Limits.headerBytes, let bytes = try source.next(length, { $0.array }) else {
      throw Place(name, 0, "header").damaged("it is cut short")
    }
    (header, headerChecksum) = try HeaderFrame.decode(bytes, file: name)
    headerLength = length
    description = header.description
    let kinds: [BlockKind] = [.rows, .deletions]
    let pairs = kinds.map { [description] in ($0, BlockLayout($0, description)) }
    layouts = Dictionary(uniqueKeysWithValues: pairs)
    decoders = layouts.mapValues { BlockDecoder($0) }
  }

  /// Replaces `rows` by the next ones, and says what they are: deletions have ids only. Nil after
  /// the last, when all of the file has proven right.
  package func next(into rows: inout RowBatch) throws(EmbeddingError) -> Content? {
    while !isAtEnd {
      let (tag, length, seed, place) = try peekFrame()
      switch tag {
      case .block: return try readBlock(length, seed, &rows)
      case .page: try readPage(length, seed)
      case .section:
        if stopsAtSections { return nil }
        _ = try readPiece(length, seed)
      case .directory: try readDirectory(length, seed)
      case .header, .footer: throw place.damaged("the frame stands in the wrong place")
      }
    }
    return nil
  }

  /// The next piece of a section, after all rows and deletions; nil after the last, when all of the
  /// file has proven right.
  package func nextPiece() throws(EmbeddingError) -> Piece? {
    while !isAtEnd {
      let (tag, length, seed, place) = try peekFrame()
      switch tag {
      case .section: return try readPiece(length, seed)
      case .directory: try readDirectory(length, seed)
      case .block, .page, .header, .footer:
        throw place.damaged("the frame stands in the wrong place")
      }
    }
    return nil
  }

  /// What begins here.
  private func peekFrame() throws(EmbeddingError) -> (
    tag: FrameTag, length: Int, seed: UInt64, place: Place
  ) {
    let place = Place(name, UInt64(source.offset), "frame")
    let start = try source.peek(Frame.fieldsOffset) { $0.array }
    guard start.count == Frame.fieldsOffset, start.word(at: 0) == Frame.magic,
      let tag = FrameTag(rawValue: start.word(at: Frame.tagOffset))
    else { throw place.damaged("no frame of a snapshot begins here") }
    let length = Int(start.word(at: Frame.sizeOffset)) + Frame.tagOffset
    let seed = Frame.seed(header: headerChecksum, offset: UInt64(source.offset))
    return (tag, length, seed, place)
  }

  private func take(_ length: Int, _ place: Place) throws(EmbeddingError) -> [UInt8] {
    guard let bytes = try source.next(length, { $0.array }) else {
      throw place.damaged("the file ends within it")
    }
    return bytes
  }

  private func readBlock(
    _ length: Int, _ seed: UInt64, _ rows: inout RowBatch
  ) throws(EmbeddingError) -> Content {
    let place = Place(name, UInt64(source.offset), "block")
    let bytes = try take(min(length, Limits.headerBytes), place)
    guard bytes.count >= Frame.fieldsOffset + 4,
      let found = BlockKind(rawValue: bytes.word(at: Frame.fieldsOffset)),
      let layout = layouts[found],
      found == kind || (kind == .rows && entries.isEmpty && description.isDelta), pieces.isEmpty
    else { throw place.damaged("the block stands in the wrong place") }
    if found != kind { (kind, lastID) = (found, nil) }
    let (block, checksum) = try BlockHeader.decode(
      bytes, layout: layout, rowsPerBlock: header.rowsPerBlock, seed: seed, at: place)
    let before = kind == .rows ? rowCount : deletionCount
    guard block.firstRow == before, entries.count < Limits.blocksPerPage else {
      throw place.damaged("the block stands in the wrong place")
    }
    let decoder = decoders[kind]
    let payload = try take(block.payloadLength, place)
    let decoded = try payload.withBytes { (payload) throws(EmbeddingError) -> DecodedBlock? in
      try decoder?.decode(block, payload, columns: .all, at: place)
    }
    guard let decoded else { preconditionFailure("a kind without a decoder") }
    if let lastID, !IDKeys.precedes(lastID, decoded.rows.ids[0]) {
      throw place.damaged("its ids do not come after those before them")
    }
    lastID = decoded.rows.ids[block.rowCount - 1]
    func size(_ columns: SnapshotColumns) -> UInt32 {
      UInt32(bytes.count + block.payloadLength(ofFirst: layout.partCount(of: columns)))
    }
    entries.append(
      IndexPage.Entry(
        firstKey: block.firstKey, checksum: checksum, length: size(.all),
        metadataLength: size(.metadata), lookupLength: size(.vectors),
        rowCount: UInt32(block.rowCount)))
    keys += decoded.keys
    rows = decoded.rows
    if kind == .rows {
      rowCount += UInt64(block.rowCount)
      return .rows
    }
    deletionCount += UInt64(block.rowCount)
    return .deletions
  }

  private func readPage(_ length: Int, _ seed: UInt64) throws(EmbeddingError) {
    let place = Place(name, UInt64(source.offset), "index page")
    let (page, checksum) = try IndexPage.decode(
      try take(length, place), kind, rowsPerBlock: header.rowsPerBlock, seed: seed, at: place)
    guard page.entries == entries, let first = entries.first,
      keys.allSatisfy({ page.filter.mayContain($0) })
    else { throw place.damaged("it does not describe the blocks before it") }
    let listed = Directory.Page(
      firstKey: first.firstKey, checksum: checksum,
      blocksLength: entries.reduce(0) { $0 + UInt64($1.length) }, length: UInt32(length),
      rowCount: UInt32(keys.count), blockCount: UInt32(entries.count))
    if kind == .rows { seen.rowPages.append(listed) } else { seen.deletionPages.append(listed) }
    (entries, keys) = ([], [])
  }

  private func readPiece(_ length: Int, _ seed: UInt64) throws(EmbeddingError) -> Piece {
    let place = Place(name, UInt64(source.offset), "section")
    guard length == SectionPiece.size, entries.isEmpty else {
      throw place.damaged("the section stands in the wrong place")
    }
    let (piece, checksum) = try SectionPiece.decode(
      try take(length, place), seed: seed, at: place)
    // Sections may be empty, and then leave no trace before the directory.
    while pieces.count <= piece.section, pieces.count < Limits.sections { pieces.append([]) }
    guard Int(piece.section) == pieces.count - 1,
      Int(piece.number) == pieces[pieces.count - 1].count
    else { throw place.damaged("the section stands in the wrong place") }
    let frame = try take(Int(piece.part.length), place)
    let content = try frame.withBytes { (frame) throws(EmbeddingError) in
      try piece.content(frame, decompressor, at: place)
    }
    pieces[pieces.count - 1].append(
      (checksum, UInt64(length) + UInt64(frame.count), UInt64(piece.contentLength)))
    return Piece(section: pieces.count - 1, number: Int(piece.number), content: content)
  }

  private func readDirectory(_ length: Int, _ seed: UInt64) throws(EmbeddingError) {
    let offset = UInt64(source.offset)
    let place = Place(name, offset, "directory")
    guard entries.isEmpty else { throw place.damaged("the index page before it is missing") }
    let (directory, checksum) = try Directory.decode(
      try take(length, place), seed: seed, content: UInt64(headerLength)..<offset,
      isDelta: description.isDelta, at: place)
    guard directory.rowPages == seen.rowPages, directory.deletionPages == seen.deletionPages,
      directory.rowCount == rowCount, directory.deletionCount == deletionCount,
      directory.sections.count >= pieces.count
    else { throw place.damaged("it does not list what stands before it") }
    for (i, section) in directory.sections.enumerated() {
      let pieces = i < pieces.count ? pieces[i] : []
      try section.check(
        checksums: pieces.map(\.checksum), storedLength: pieces.reduce(0) { $0 + $1.stored },
        contentLength: pieces.reduce(0) { $0 + $1.content }, at: place)
      if section.isRequired, !knownSections.contains(section.name) {
        throw unknownSection(section.name, file: name)
      }
    }
    try readFooter(offset, UInt64(length), checksum)
    sectionNames = directory.sections.map(\.name)
    isAtEnd = true
  }

  private func readFooter(
    _ directoryOffset: UInt64, _ directoryLength: UInt64, _ checksum: UInt64
  ) throws(EmbeddingError) {
    let place = Place(name, UInt64(source.offset), "footer")
    let bytes = try take(Footer.size, place)
    let (footer, _) = try Footer.decode(bytes, fileLength: UInt64(source.offset), file: name)
    guard footer.directoryOffset == directoryOffset, footer.directoryLength == directoryLength,
      footer.directoryChecksum == checksum, footer.headerChecksum == headerChecksum,
      Int(footer.headerLength) == headerLength
    else { throw place.damaged("it does not name what stands before it") }
    let rest = try source.peek(1) { $0.count }
    guard rest == 0 else { throw place.damaged("bytes follow it") }
  }
}

extension Span<UInt8> {
  /// The bytes, copied.
  fileprivate var array: [UInt8] { withUnsafeBufferPointer { Array($0) } }
}
