import LMDB
import StorageBase

/// The LMDB trees of a table, and how rows are found there.
///
/// - `ids`: id -> row number. An Int64 id's key is its bit pattern with the sign bit flipped, so
///   that the tree's order is numerical; ids and row numbers stand in pages (``IDPage``). A byte-string
///   id's key is its XXH3; the value is an ``IDEntries``.
/// - `blocks`: block number -> block (``BlockLayout``).
/// - `state`: all else, by regions of its keys (``StateRegion``).
struct TableStorage: Sendable {
  let name: String
  let idType: IDType
  let layout: BlockLayout
  let ids: NamedDatabase
  let blocks: NamedDatabase
  let state: NamedDatabase
  /// Whether a block stands on pages of its own, which no change of another one moves or rewrites.
  let blocksStandAlone: Bool

  init(
    name: String, idType: IDType, layout: BlockLayout, trees: TableTrees, blocksStandAlone: Bool
  ) {
    self.blocksStandAlone = blocksStandAlone
    self.name = name
    self.idType = idType
    self.layout = layout
    ids = trees.ids
    blocks = trees.blocks
    state = trees.state
  }

  /// Where blocks are written past LMDB; nil where it writes them.
  func pageFile(in transaction: borrowing WriteTransaction) -> PageFile? {
    blocksStandAlone ? transaction.pageFile : nil
  }

  /// Block `number`, which must be there. Its checksum is not checked.
  func block<T: ReadableTransaction & ~Copyable>(
    _ number: UInt64, in transaction: borrowing T
  ) throws(EmbeddingError) -> BlockView {
    guard let block = try blockIfPresent(number, in: transaction) else {
      throw corruption("block \(number) is missing")
    }
    return block
  }

  /// Block `number`, or nil where the table has none of that number. Its checksum is not checked.
  func blockIfPresent<T: ReadableTransaction & ~Copyable>(
    _ number: UInt64, in transaction: borrowing T
  ) throws(EmbeddingError) -> BlockView? {
    guard let value = try transaction.get(number, in: blocks) else { return nil }
    guard value.count == layout.byteCount else {
      throw corruption(
        "block \(number) has \(value.count) bytes instead of \(layout.byteCount)")
    }
    return BlockView(layout: layout, number: number, bytes: value)
  }

  /// Block `number`, checked against its checksum.
  func checkedBlock<T: ReadableTransaction & ~Copyable>(
    _ number: UInt64, in transaction: borrowing T
  ) throws(EmbeddingError) -> BlockView {
    try intact(block(number, in: transaction))
  }

  /// A block for a scan, which asks for those ahead.
  func block<T: ReadableTransaction & ~Copyable>(
    _ number: UInt64, in transaction: borrowing T, _ readAhead: inout ReadAhead
  ) throws(EmbeddingError) -> BlockView {
    let block = try block(number, in: transaction)
    readAhead.reach(block.bytes.baseAddress)
    return block
  }

  /// The same, compared with its checksum.
  func checkedBlock<T: ReadableTransaction & ~Copyable>(
    _ number: UInt64, in transaction: borrowing T, _ readAhead: inout ReadAhead
  ) throws(EmbeddingError) -> BlockView {
    try intact(block(number, in: transaction, &readAhead))
  }

  private func intact(_ block: BlockView) throws(EmbeddingError) -> BlockView {
    guard block.isIntact else { throw damage(block.number) }
    return block
  }

  func damage(_ number: UInt64) -> EmbeddingError {
    corruption("block \(number) does not match its checksum")
  }

  func corruption(_ what: String) -> EmbeddingError {
    EmbeddingError(
      .corruption,
      "Table \(name): \(what). 'embstore verify' lists all damage; restore a copy of the database, "
        + "or export what is intact.")
  }
}
