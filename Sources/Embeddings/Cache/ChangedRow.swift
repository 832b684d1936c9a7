import StorageBase

/// A row that a commit writes: all but its floats, which stand in the cache or in a copy.
struct ChangedRow {
  let hash: UInt64
  /// The number in the last commit, or `RowHeader.noRow`.
  let row: UInt64
  let counts: RowCounts
  /// Where the row's floats stand, which may have changed since
  /// (``RowCache/withRunningFloats(_:_:)``).
  let memory: UnsafeRawPointer
  let slot: UInt32
  let shard: UInt16
  let isDeleted: Bool
  /// The flag that the row has until it changes.
  let flag: RowHeader.Flags

  /// An Int64 id's bit pattern, or the XXH3 of a byte-string id.
  var key: UInt64 { RowKey.key(ofHash: hash) }
  var isNew: Bool { row == RowHeader.noRow }
}
