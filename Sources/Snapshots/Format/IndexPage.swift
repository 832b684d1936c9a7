import StorageBase

/// The frame after a run of blocks: where each of them stands, what it begins with, and a filter of
/// all their keys.
struct IndexPage: Sendable {
  struct Entry: Sendable, Equatable {
    /// The key of the block's first row.
    var firstKey: UInt64
    /// The checksum of the block's header.
    var checksum: UInt64
    /// Bytes of the block: its header and all parts.
    var length: UInt32
    /// Bytes of its header and the parts of ids, frequencies and last steps.
    var metadataLength: UInt32
    /// The same with the vectors.
    var lookupLength: UInt32
    var rowCount: UInt32

    static let size = 2 * 8 + 4 * 4

    func length(of columns: SnapshotColumns) -> Int {
      switch columns {
      case .metadata: Int(metadataLength)
      case .vectors: Int(lookupLength)
      case .all: Int(length)
      }
    }
  }

  var entries: [Entry] = []
  var filter: KeyFilter

  func encoded(_ kind: BlockKind, seed: UInt64) -> (bytes: [UInt8], checksum: UInt64) {
    var frame = FrameWriter(.page)
    frame.write(kind.rawValue)
    frame.write(UInt32(entries.count))
    frame.write(UInt32(filter.words.count / 8))
    for entry in entries {
      frame.write(entry.firstKey)
      frame.write(entry.checksum)
      frame.write(entry.length)
      frame.write(entry.metadataLength)
      frame.write(entry.lookupLength)
      frame.write(entry.rowCount)
    }
    frame.write(filter.words)
    return frame.sealed(seed: seed)
  }

  static func decode(
    _ bytes: [UInt8], _ kind: BlockKind, rowsPerBlock: Int, seed: UInt64, at place: Place
  ) throws(EmbeddingError) -> (page: IndexPage, checksum: UInt64) {
    var frame = try FrameReader(bytes, .page, seed: seed, at: place)
    guard try frame.read(UInt32.self) == kind.rawValue else {
      throw place.damaged("the page does not belong to \(kind.noun)")
    }
    let count = Int(try frame.read(UInt32.self))
    let lines = Int(try frame.read(UInt32.self))
    guard (1...Limits.blocksPerPage).contains(count), lines > 0,
      frame.remaining == count * Entry.size + lines * 64
    else { throw place.damaged("the page has a size that is not possible") }
    var entries: [Entry] = []
    entries.reserveCapacity(count)
    for _ in 0..<count {
      let entry = Entry(
        firstKey: try frame.read(UInt64.self), checksum: try frame.read(UInt64.self),
        length: try frame.read(UInt32.self), metadataLength: try frame.read(UInt32.self),
        lookupLength: try frame.read(UInt32.self), rowCount: try frame.read(UInt32.self))
      guard entry.metadataLength <= entry.lookupLength, entry.lookupLength <= entry.length,
        (1...rowsPerBlock).contains(Int(entry.rowCount)),
        entries.last.map({ $0.firstKey <= entry.firstKey }) ?? true
      else { throw place.damaged("the page has an entry that is not possible") }
      entries.append(entry)
    }
    let words = try frame.read(words: 8 * lines)
    return (IndexPage(entries: entries, filter: KeyFilter(words: words)), frame.checksum)
  }
}
