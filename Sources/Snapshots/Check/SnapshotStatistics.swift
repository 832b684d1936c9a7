package import StorageBase

/// Where the bytes of a snapshot file are.
public struct SnapshotStatistics: Sendable, Hashable {
  /// Bytes of one column over all blocks.
  public struct Column: Sendable, Hashable {
    /// `ids`, `frequencies`, `lastSteps`, `vectors`, `slots` or `deletions`.
    public var name: String
    /// Bytes in the file.
    public var storedBytes: UInt64 = 0
    /// Bytes of the values: 8 an integer, 4 a float, byte strings as they are.
    public var valueBytes: UInt64 = 0

    /// Stored bytes as a share of those of the values; 0 for a column without values.
    public var ratio: Double { valueBytes == 0 ? 0 : Double(storedBytes) / Double(valueBytes) }
  }

  /// Bytes of the file.
  public var fileBytes: UInt64 = 0
  /// The columns, in the order of the file.
  public var columns: [Column] = []
  /// Bytes of block headers, index pages with filters, directory, header and footer.
  public var indexBytes: UInt64 = 0
  /// Bytes of sections.
  public var sectionBytes: UInt64 = 0
  /// Blocks of rows and of deletions.
  public var blockCount = 0
}

extension SnapshotReader {
  /// Measures the columns; reads index pages and the headers of all blocks, not the rows.
  package func statistics() throws(EmbeddingError) -> SnapshotStatistics {
    var statistics = SnapshotStatistics()
    statistics.fileBytes = byteCount
    let names = ["ids", "frequencies", "lastSteps", "vectors", "slots", "deletions"]
    statistics.columns = names.map { SnapshotStatistics.Column(name: $0) }
    for sequence in [rows, deletions] {
      let layout = BlockLayout(sequence.kind, description)
      for pageIndex in sequence.pages.indices {
        let page = try loadPage(pageIndex, of: sequence)
        for index in page.page.entries.indices {
          let header = try loadHeader(index, of: page, pageIndex, layout)
          statistics.add(header, layout, description)
        }
      }
    }
    statistics.sectionBytes = directory.sections.reduce(0) { $0 + $1.storedLength }
    let columns = statistics.columns.reduce(0) { $0 + $1.storedBytes }
    statistics.indexBytes = byteCount - columns - statistics.sectionBytes
    return statistics
  }
}

extension SnapshotStatistics {
  fileprivate mutating func add(
    _ header: BlockHeader, _ layout: BlockLayout, _ description: SnapshotDescription
  ) {
    blockCount += 1
    func stored(_ parts: Range<Int>) -> UInt64 {
      parts.reduce(0) { $0 + UInt64(header.parts[$1].length) }
    }
    let rows = UInt64(header.rowCount)
    let idBytes = layout.idType == .int64 ? 8 * rows : UInt64(header.idByteCount)
    let ids = layout.kind == .rows ? 0 : 5
    columns[ids].storedBytes += stored(0..<layout.idParts)
    columns[ids].valueBytes += idBytes
    guard layout.kind == .rows else { return }
    let (metadata, vectors) = (layout.metadataParts, layout.metadataParts + layout.vectorParts)
    columns[1].storedBytes += stored(layout.idParts..<layout.idParts + 1)
    columns[1].valueBytes += 8 * rows
    columns[2].storedBytes += stored(layout.idParts + 1..<metadata)
    columns[2].valueBytes += 8 * rows
    columns[3].storedBytes += stored(metadata..<vectors)
    columns[3].valueBytes += 4 * rows * UInt64(layout.dimension)
    columns[4].storedBytes += stored(vectors..<layout.partCount)
    columns[4].valueBytes += 4 * rows * UInt64(layout.slotCount)
  }
}
