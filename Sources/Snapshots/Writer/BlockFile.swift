import StorageBase

/// The file under construction: blocks, a page after every run of them, the directory, the footer.
/// It gives blocks their places, and checks the order across them.
struct BlockFile: ~Copyable {
  private var file: AtomicFile
  private let headerLength: Int
  private let headerChecksum: UInt64
  private var directory = Directory()
  private var kind = BlockKind.rows
  private var rowCount: UInt64 = 0
  private var lastID: EmbeddingID?
  private var entries: [IndexPage.Entry] = []
  private var keys: [UInt64] = []
  private var blocksLength: UInt64 = 0
  private var layouts: [BlockLayout]
  private var section = OpenSection()

  /// The section that is being written.
  private struct OpenSection {
    var section = Directory.Section(name: "", isRequired: false)
    var start = 0
    /// What is not in a piece yet.
    var content: [UInt8] = []
    var checksums: [UInt64] = []
    let compressor = Compressor()
  }

  /// Takes over a file that nothing has been written to.
  init(_ file: consuming AtomicFile, header: HeaderFrame) {
    let (bytes, checksum) = header.encoded()
    headerLength = bytes.count
    headerChecksum = checksum
    layouts = [
      BlockLayout(.rows, header.description), BlockLayout(.deletions, header.description),
    ]
    self.file = file
  }

  /// Writes the header.
  mutating func begin(_ header: HeaderFrame) throws(EmbeddingError) {
    try file.write(header.encoded().bytes)
  }

  /// The seed of the frame that comes next.
  private var seed: UInt64 { Frame.seed(header: headerChecksum, offset: UInt64(file.offset)) }

  /// Writes a block whose rows come after those before it.
  mutating func write(_ block: EncodedBlock) throws(EmbeddingError) {
    if block.header.kind != kind {
      kind = block.header.kind
      rowCount = 0
      lastID = nil
    }
    if let lastID, !IDKeys.precedes(lastID, block.firstID) {
      throw disorder(lastID, block.firstID)
    }
    lastID = block.lastID
    block.header.firstRow = rowCount
    rowCount += UInt64(block.header.rowCount)
    let (bytes, checksum) = block.header.encoded(seed: seed)
    try file.write(bytes)
    try file.write(RawSpan(_unsafeBytes: block.payload.bytes))
    let layout = layouts[kind == .rows ? 0 : 1]
    func length(_ columns: SnapshotColumns) -> UInt32 {
      UInt32(bytes.count + block.header.payloadLength(ofFirst: layout.partCount(of: columns)))
    }
    entries.append(
      IndexPage.Entry(
        firstKey: block.header.firstKey, checksum: checksum, length: length(.all),
        metadataLength: length(.metadata), lookupLength: length(.vectors),
        rowCount: UInt32(block.header.rowCount)))
    keys.append(contentsOf: block.keys)
    blocksLength += UInt64(length(.all))
    if entries.count == Defaults.blocksPerPage { try endPage() }
  }

  /// Writes the page of the blocks since the last one, if there are any.
  mutating func endPage() throws(EmbeddingError) {
    guard let first = entries.first else { return }
    let page = IndexPage(entries: entries, filter: KeyFilter(keys))
    let (bytes, checksum) = page.encoded(kind, seed: seed)
    try file.write(bytes)
    let listed = Directory.Page(
      firstKey: first.firstKey, checksum: checksum, blocksLength: blocksLength,
      length: UInt32(bytes.count), rowCount: UInt32(keys.count), blockCount: UInt32(entries.count))
    switch kind {
    case .rows:
      directory.rowPages.append(listed)
      directory.rowCount += UInt64(keys.count)
    case .deletions:
      directory.deletionPages.append(listed)
      directory.deletionCount += UInt64(keys.count)
    }
    entries.removeAll(keepingCapacity: true)
    keys.removeAll(keepingCapacity: true)
    blocksLength = 0
  }

  /// Begins a section, whose content follows.
  mutating func beginSection(_ name: String, isRequired: Bool) throws(EmbeddingError) {
    guard directory.sections.count < Limits.sections,
      !directory.sections.contains(where: { $0.name == name })
    else {
      throw EmbeddingError(
        .invalidArgument,
        "A snapshot has up to \(Limits.sections) sections, each with another name; '\(name)' is not "
          + "possible.")
    }
    section = OpenSection(
      section: Directory.Section(name: name, isRequired: isRequired), start: file.offset)
  }

  /// Adds to the content of the section, and writes the pieces that are full.
  mutating func appendToSection(_ content: UnsafeRawBufferPointer) throws(EmbeddingError) {
    var rest = content[...]
    while !rest.isEmpty {
      let room = Limits.sectionPieceBytes - section.content.count
      section.content.append(contentsOf: rest.prefix(room))
      rest = rest.dropFirst(room)
      if section.content.count == Limits.sectionPieceBytes { try writePiece() }
    }
  }

  /// Writes the rest of the section, and lists it.
  mutating func endSection() throws(EmbeddingError) {
    if !section.content.isEmpty { try writePiece() }
    section.section.storedLength = UInt64(file.offset - section.start)
    section.section.pieceCount = UInt32(section.checksums.count)
    section.section.checksum = sectionChecksum(section.checksums)
    directory.sections.append(section.section)
    section = OpenSection()
  }

  private mutating func writePiece() throws(EmbeddingError) {
    let frame = Scratch()
    let content = section.content
    let part = content.withUnsafeBytes { section.compressor.append($0, to: frame) }
    let piece = SectionPiece(
      section: UInt32(directory.sections.count), number: UInt32(section.checksums.count),
      contentLength: UInt32(content.count), part: part
    ).encoded(seed: seed)
    try file.write(piece.bytes)
    try file.write(RawSpan(_unsafeBytes: frame.bytes))
    section.section.contentLength += UInt64(content.count)
    section.checksums.append(piece.checksum)
    section.content.removeAll(keepingCapacity: true)
  }

  /// Writes directory and footer, and commits the file.
  mutating func finish() throws(EmbeddingError) -> SnapshotSummary {
    let offset = UInt64(file.offset)
    let (bytes, checksum) = directory.encoded(seed: seed)
    guard bytes.count <= Int(UInt32.max) else {
      throw EmbeddingError(.invalidArgument, "\(file.name): the snapshot has too many rows.")
    }
    try file.write(bytes)
    let length = UInt64(file.offset + Footer.size)
    let footer = Footer(
      headerLength: UInt32(headerLength), headerChecksum: headerChecksum,
      directoryOffset: offset, directoryLength: UInt64(bytes.count), directoryChecksum: checksum,
      fileLength: length
    ).encoded()
    try file.write(footer.bytes)
    try file.commit()
    return SnapshotSummary(
      rowCount: directory.rowCount, deletionCount: directory.deletionCount, byteCount: length,
      checksum: footer.checksum)
  }
}
