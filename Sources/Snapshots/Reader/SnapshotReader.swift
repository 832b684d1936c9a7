package import StorageBase
import Synchronization

/// How a snapshot is opened.
package struct SnapshotReaderOptions: Sendable {
  /// Bytes of decoded blocks and index pages to keep for lookups.
  package var cacheBudget: Int
  /// The names of sections that the caller understands; a file that requires another is refused.
  package var knownSections: Set<String>

  package init(cacheBudget: Int = 64 << 20, knownSections: Set<String> = SnapshotSection.defined) {
    self.cacheBudget = cacheBudget
    self.knownSections = knownSections
  }
}

/// An open snapshot: lookups by id and by position, reading in order, checking. Any number of
/// threads may use it at once.
///
/// Opening reads footer, header and directory, whose checksums it compares: a few KB, or about 1 MB
/// for a billion rows. Index pages, filters and blocks are read when they are needed, are compared
/// with their checksums then, and are kept up to the budget. The file must not change while it is
/// open; snapshots never do.
package final class SnapshotReader: Sendable {
  /// The path of the file.
  package let path: String
  /// What the snapshot is.
  package let description: SnapshotDescription
  /// Rows of each block but the last; less where ids are long.
  package let rowsPerBlock: Int
  /// The checksum of the footer, and by way of it of the whole file.
  package let checksum: UInt64

  let file: RandomAccessFile
  let headerChecksum: UInt64
  let headerLength: Int
  let directory: Directory
  let footer: Footer
  let rows: BlockSequence
  let deletions: BlockSequence
  let cache: BlockCache
  /// The blocks of rows whose vectors were compared with their checksums since the file was opened.
  let checked: Mutex<BitSet>
  private let mapping = Mutex<MappedFile?>(nil)
  /// Decoders that no thread is using.
  private let decoders = Monitor<[BlockDecoder]>([])

  /// Opens the snapshot at `path`, a regular file.
  ///
  /// - Throws: ``EmbeddingError/Code/unsupportedFormat`` for what is not a snapshot, or one of
  ///   another version; ``EmbeddingError/Code/corruption`` for a damaged one.
  package convenience init(
    path: String, options: SnapshotReaderOptions = SnapshotReaderOptions()
  ) throws(EmbeddingError) {
    try self.init(path: path, options: options, acceptsAllSections: false)
  }

  /// The same; with `acceptsAllSections` for what looks at files without making use of them.
  init(
    path: String, options: SnapshotReaderOptions = SnapshotReaderOptions(),
    acceptsAllSections: Bool
  ) throws(EmbeddingError) {
    let file = try RandomAccessFile(path: path)
    self.file = file
    self.path = path
    let length = UInt64(file.size)
    // The header's magic and version come first: they say best what is wrong with another file.
    let start = try file.bytes(at: 0, min(file.size, Frame.fieldsOffset + 12))
    try HeaderFrame.checkVersion(start, file: path)
    guard file.size >= Footer.size else {
      throw Place(path, length, "footer").damaged("it is missing")
    }
    let (footer, footerChecksum) = try Footer.decode(
      try file.bytes(at: length - UInt64(Footer.size), Footer.size), fileLength: length, file: path)
    let headerBytes = try file.bytes(at: 0, Int(footer.headerLength))
    let (header, headerChecksum) = try HeaderFrame.decode(headerBytes, file: path)
    guard headerChecksum == footer.headerChecksum else {
      throw Place(path, 0, "header").damaged("it is not the one that the footer names")
    }
    let place = Place(path, footer.directoryOffset, "directory")
    let (directory, directoryChecksum) = try Directory.decode(
      try file.bytes(at: footer.directoryOffset, Int(footer.directoryLength)),
      seed: Frame.seed(header: headerChecksum, offset: footer.directoryOffset),
      content: UInt64(footer.headerLength)..<footer.directoryOffset,
      isDelta: header.description.isDelta, at: place)
    guard directoryChecksum == footer.directoryChecksum else {
      throw place.damaged("it is not the one that the footer names")
    }
    let unknown = directory.sections.first {
      !acceptsAllSections && $0.isRequired && !options.knownSections.contains($0.name)
    }
    if let unknown { throw unknownSection(unknown.name, file: path) }
    description = header.description
    rowsPerBlock = header.rowsPerBlock
    checksum = footerChecksum
    self.headerChecksum = headerChecksum
    headerLength = Int(footer.headerLength)
    self.footer = footer
    self.directory = directory
    rows = BlockSequence(.rows, directory.rowPages, offset: UInt64(headerLength))
    deletions = BlockSequence(
      .deletions, directory.deletionPages, offset: rows.offsets[rows.pages.count])
    cache = BlockCache(budget: options.cacheBudget)
    checked = Mutex(BitSet(count: rows.pages.count * Limits.blocksPerPage))
  }

  /// The file in memory, mapped at first use.
  func map() throws(EmbeddingError) -> MappedFile {
    try mapping.withLock { (mapping) throws(EmbeddingError) -> MappedFile in
      if let mapping { return mapping }
      let map = try file.map()
      mapping = map
      return map
    }
  }

  /// A number for block `index` of page `page` of the rows.
  func sequenceNumber(_ index: Int, _ page: Int) -> Int { page * Limits.blocksPerPage + index }

  /// Whether the file at `path` begins as a snapshot does, of whatever version. False also for what
  /// is not a regular file.
  package static func isSnapshot(path: String) -> Bool {
    guard let file = try? RandomAccessFile(path: path),
      let start = try? file.bytes(at: 0, min(file.size, Frame.fieldsOffset + 8))
    else { return false }
    return HeaderFrame.hasMagic(start)
  }

  /// Rows in the file.
  package var rowCount: UInt64 { rows.rowCount }

  /// Deletions in the file, which only a delta has.
  package var deletionCount: UInt64 { deletions.rowCount }

  /// Bytes of the file.
  package var byteCount: UInt64 { footer.fileLength }

  /// Lends a decoder.
  func withDecoder<R>(
    _ kind: BlockKind, _ body: (BlockDecoder) throws(EmbeddingError) -> R
  ) throws(EmbeddingError) -> R {
    let idle = decoders.withLock { decoders -> BlockDecoder? in
      guard let i = decoders.lastIndex(where: { $0.layout.kind == kind }) else { return nil }
      return decoders.remove(at: i)
    }
    let decoder = idle ?? BlockDecoder(BlockLayout(kind, description))
    defer { decoders.withLock { $0.append(decoder) } }
    return try body(decoder)
  }
}

extension RandomAccessFile {
  /// `count` bytes from `offset` on, which the file must have: callers compare with its size
  /// before, so that nothing larger than the file is allocated.
  func bytes(at offset: UInt64, _ count: Int) throws(EmbeddingError) -> [UInt8] {
    guard count >= 0, offset <= UInt64(size), UInt64(count) <= UInt64(size) - offset else {
      throw Place(path, offset, "content").damaged("the file ends before it")
    }
    var read = 0
    var failure: EmbeddingError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      do throws(EmbeddingError) {
        read = try self.read(
          into: UnsafeMutableRawBufferPointer(
            rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count]),
          at: Int(offset))
      } catch {
        failure = error
      }
      initialized = read
    }
    if let failure { throw failure }
    guard read == count else {
      throw Place(path, offset, "content").damaged("the file became shorter while it was open")
    }
    return bytes
  }
}

/// The error for a section that must be understood, and is not.
func unknownSection(_ name: String, file: String) -> EmbeddingError {
  EmbeddingError(
    .unsupportedFormat,
    "\(file) has the section '\(name)', without which it must not be read, and which this library "
      + "does not know. Use a newer one.")
}
