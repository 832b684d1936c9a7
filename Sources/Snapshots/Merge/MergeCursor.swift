import StorageBase

/// The rows or the deletions of one snapshot, in order, a block at a time.
final class MergeCursor {
  private let reader: SnapshotReader
  private let sequence: BlockSequence
  private let decoder: BlockDecoder
  private var pageIndex = -1
  private var page: LoadedPage?
  private var blockIndex = 0
  private var last: EmbeddingID?

  /// The block at hand; nil after the last.
  private(set) var block: DecodedBlock?
  /// The row at hand within the block.
  private(set) var index = 0

  /// Stands at the first row.
  init(_ reader: SnapshotReader, _ sequence: BlockSequence) throws(EmbeddingError) {
    self.reader = reader
    self.sequence = sequence
    decoder = BlockDecoder(BlockLayout(sequence.kind, reader.description))
    try nextBlock()
  }

  var isDeletion: Bool { sequence.kind == .deletions }

  /// The key of the row at hand; there is one.
  var key: UInt64 { block.unsafelyUnwrapped.keys[index] }

  /// The id of the row at hand; there is one.
  var id: EmbeddingID { block.unsafelyUnwrapped.rows.ids[index] }

  /// Moves on by `count` rows of the block at hand.
  func advance(_ count: Int) throws(EmbeddingError) {
    guard let block else { return }
    index += count
    if index == block.keys.count { try nextBlock() }
  }

  /// The end of the run of rows in the block at hand whose keys are less than `key`.
  func run(before key: UInt64) -> Int {
    guard let keys = block?.keys else { return index }
    var (low, high) = (index, keys.count)
    while low < high {
      let middle = (low + high) / 2
      if keys[middle] < key { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private func nextBlock() throws(EmbeddingError) {
    index = 0
    last = block.map { $0.rows.ids[$0.keys.count - 1] }
    block = nil
    while page == nil || blockIndex == page?.page.entries.count {
      pageIndex += 1
      guard pageIndex < sequence.pages.count else { return }
      page = try reader.loadPage(pageIndex, of: sequence)
      blockIndex = 0
    }
    guard let page else { return }
    let next = try reader.loadBlock(blockIndex, of: page, pageIndex, columns: .all, decoder)
    blockIndex += 1
    if let last, !IDKeys.precedes(last, next.rows.ids[0]) {
      throw Place(reader.path, page.offsets[blockIndex - 1], "block of \(sequence.kind.noun)")
        .damaged("its ids do not come after those before them")
    }
    block = next
  }
}
