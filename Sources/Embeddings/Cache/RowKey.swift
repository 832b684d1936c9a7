import StorageBase

/// An id as the cache looks for it.
struct RowKey {
  /// The hash of the key.
  let hash: UInt64
  /// The bytes of a byte-string id; empty for an Int64 id.
  let bytes: UnsafeRawBufferPointer

  /// An Int64 id's bit pattern, or the XXH3 of a byte-string id.
  var key: UInt64 { Self.key(ofHash: hash) }

  init(int64: Int64) {
    self.init(
      key: UInt64(bitPattern: int64), bytes: UnsafeRawBufferPointer(start: nil, count: 0))
  }

  init(key: UInt64, bytes: UnsafeRawBufferPointer) {
    self.init(hash: Self.hash(key), bytes: bytes)
  }

  @inline(__always)
  init(hash: UInt64, bytes: UnsafeRawBufferPointer) {
    self.hash = hash
    self.bytes = bytes
  }

  /// Id `i` of a batch.
  init(_ ids: UnsafeIDs, _ i: Int) {
    if let int64s = ids.int64s {
      self.init(int64: int64s[i])
    } else {
      let bytes = ids.bytes(i)
      self.init(key: xxh3(bytes), bytes: bytes)
    }
  }

  /// The hash that spreads keys over shards (its highest bits), buckets of the index (its low half)
  /// and tags there (the byte above). It is a bijection: equal hashes are equal keys.
  ///
  /// The keys of byte-string ids are hashes already; to mix them again costs a nanosecond and lets
  /// tests put ids of their own choosing side by side.
  @inline(__always)
  static func hash(_ key: UInt64) -> UInt64 { mix64(key &+ golden) }

  /// The key of a hash.
  @inline(__always)
  static func key(ofHash hash: UInt64) -> UInt64 { unmix64(hash) &- golden }
}
