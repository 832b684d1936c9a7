/// A row of a commit as it was when the state was fixed.
struct ChangedRow {
  let hash: UInt64
  /// The number in the last commit, or `RowHeader.noRow`.
  let row: UInt64
  let frequency: UInt64
  let slot: UInt32
  let shard: UInt16
  let isDeleted: Bool

  /// An Int64 id's bit pattern, or the XXH3 of a byte-string id.
  var key: UInt64 { RowKey.key(ofHash: hash) }
  var isNew: Bool { row == RowHeader.noRow }
}

/// Where a row of a commit stands in the cache.
struct PlacedRow {
  /// Unsafe: a row that waits to be written stays where it is, and so does its slab.
  let header: UnsafePointer<RowHeader>
  let floats: UnsafePointer<Float>
  let slot: UInt32
  let shard: UInt16
  /// Its place in its block.
  var index: UInt32
}
