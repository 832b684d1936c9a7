import LMDB
import StorageBase

/// The LMDB trees of one table; see ``TableStorage``.
struct TableTrees: Sendable {
  let ids: NamedDatabase
  let blocks: NamedDatabase
  let state: NamedDatabase

  static func idsName(_ number: UInt32) -> String { "ids.\(number)" }
  static func blocksName(_ number: UInt32) -> String { "blocks.\(number)" }
  static func stateName(_ number: UInt32) -> String { "state.\(number)" }

  init(ids: NamedDatabase, blocks: NamedDatabase, state: NamedDatabase) {
    self.ids = ids
    self.blocks = blocks
    self.state = state
  }

  /// Creates the trees of a new table.
  init(
    creating number: UInt32, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    ids = try transaction.namedDatabase(Self.idsName(number), integerKeys: true, create: true)!
    blocks = try transaction.namedDatabase(
      Self.blocksName(number), integerKeys: true, create: true)!
    state = try transaction.namedDatabase(
      Self.stateName(number), integerKeys: true, create: true)!
  }
}
