import LMDB
import StorageBase

/// The LMDB trees of a table, and how rows are found there.
///
/// - `ids`: id -> row number. An Int64 id's key is its bit pattern with the sign bit flipped, so
///   that the tree's order is numerical; the value is the row number. A byte-string id's key is its
///   XXH3; the value is an ``IDEntries``.
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

  static func treeKey(int64 key: UInt64) -> UInt64 { key ^ (1 << 63) }

  /// The way back.
  static func key(int64TreeKey key: UInt64) -> UInt64 { key ^ (1 << 63) }

  /// The key in the id tree of a cache key.
  @inline(__always)
  func treeKey(_ key: UInt64) -> UInt64 { Self.treeKey(key, idType) }

  @inline(__always)
  static func treeKey(_ key: UInt64, _ idType: IDType) -> UInt64 {
    idType == .int64 ? treeKey(int64: key) : key
  }

  /// The row number of an id, or nil.
  func row<T: ReadableTransaction & ~Copyable>(
    of key: RowKey, in transaction: borrowing T
  ) throws(EmbeddingError) -> UInt64? {
    guard let value = try transaction.get(treeKey(key.key), in: ids) else { return nil }
    switch idType {
    case .int64: return try rowNumber(value)
    case .bytes: return IDEntries(value: value).row(of: key.bytes)
    }
  }

  func rowNumber(_ value: UnsafeRawBufferPointer) throws(EmbeddingError) -> UInt64 {
    guard value.count == 8 else {
      throw corruption("an id's row number has \(value.count) bytes instead of 8")
    }
    return value.loadUnaligned(as: UInt64.self)
  }

  /// The bytes of the byte-string id of a row in its entry of the id tree, none for an Int64 id; nil
  /// where the entry does not name the row.
  func idBytes(in value: UnsafeRawBufferPointer, ofRow row: UInt64) -> UnsafeRawBufferPointer? {
    switch idType {
    case .int64: UnsafeRawBufferPointer(start: nil, count: 0)
    case .bytes: IDEntries(value: value).first { $0.row == row }?.bytes
    }
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

  /// Appends the ids of rows `rows` to `column`, reading the keys from `keys`.
  ///
  /// The bytes of byte-string ids stand in the id tree; they are read in its order, and come out in
  /// that of the rows.
  func appendIDs<T: ReadableTransaction & ~Copyable>(
    rows: [UInt64], keys: [UInt64], to column: inout IDColumn, in transaction: borrowing T
  ) throws(EmbeddingError) {
    switch idType {
    case .int64:
      for key in keys { column.append(Int64(bitPattern: key)) }
    case .bytes:
      var found = [UnsafeRawBufferPointer?](repeating: nil, count: rows.count)
      for i in rows.indices.sorted(by: { keys[$0] < keys[$1] }) {
        guard let value = try transaction.get(keys[i], in: ids),
          let entry = IDEntries(value: value).first(where: { $0.row == rows[i] })
        else {
          throw corruption("row \(rows[i]) has no id")
        }
        found[i] = entry.bytes
      }
      for bytes in found { column.append(bytes: bytes.unsafelyUnwrapped) }
    }
  }

  func corruption(_ what: String) -> EmbeddingError {
    EmbeddingError(
      .corruption,
      "Table \(name): \(what). 'embstore verify' lists all damage; restore a copy of the database, "
        + "or export what is intact.")
  }
}
