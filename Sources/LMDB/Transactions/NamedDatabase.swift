/// A handle to one named database of an environment: a copyable value, valid until the database is
/// dropped or the environment is closed.
package struct NamedDatabase: Sendable {
  /// Its name.
  package let name: String
  /// Whether its keys are native `UInt64` integers, in numerical order, rather than byte strings in
  /// lexical order.
  package let hasIntegerKeys: Bool
  let dbi: UInt32
  /// Tells this handle from later ones with the same number, and from other environments'.
  let generation: UInt64
}

/// The pages and entries of a named database.
package struct DatabaseStatistics: Sendable, Equatable {
  package var entries: Int
  /// The height of the tree.
  package var depth: Int
  package var branchPages: Int
  package var leafPages: Int
  /// Pages of values too large for a leaf.
  package var overflowPages: Int
}

/// The longest key in bytes, LMDB's compiled-in default; the shortest has one byte.
package let maximumKeySize = 511
