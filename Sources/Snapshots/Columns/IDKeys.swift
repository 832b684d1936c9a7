import StorageBase

/// The numbers that order rows: ids stand in the rising order of their keys, and byte strings of
/// the same key (a collision of their hashes) in that of their bytes.
///
/// The key of an Int64 id is its bits with the sign bit flipped, so that keys rise as the numbers
/// do; that of a byte string is its XXH3. It is the order of a table's own tree of ids.
package enum IDKeys {
  /// The key of an Int64 id.
  @inline(__always)
  package static func key(_ id: Int64) -> UInt64 { UInt64(bitPattern: id) ^ (1 << 63) }

  /// The Int64 id that has a key.
  @inline(__always)
  package static func id(_ key: UInt64) -> Int64 { Int64(bitPattern: key ^ (1 << 63)) }

  /// The keys of `ids`.
  static func keys(_ ids: borrowing IDColumn) -> [UInt64] {
    switch ids.type {
    case .int64: return ids.int64s.map { key($0) }
    case .bytes:
      let (offsets, bytes) = (ids.offsets, ids.bytes)
      return bytes.withUnsafeBytes { bytes in
        (0..<offsets.count - 1).map {
          xxh3(UnsafeRawBufferPointer(rebasing: bytes[Int(offsets[$0])..<Int(offsets[$0 + 1])]))
        }
      }
    }
  }

  /// The position of the first id that does not come after the one before it, or nil.
  static func firstDisorder(_ ids: borrowing IDColumn, keys: [UInt64]) -> Int? {
    let type = ids.type
    var i = 1
    while i < keys.count {
      if keys[i] <= keys[i - 1] {
        guard type == .bytes, keys[i] == keys[i - 1] else { return i }
        if !precedes(ids, i - 1, i) { return i }
      }
      i += 1
    }
    return nil
  }

  /// Whether the bytes of id `a` come before those of id `b`.
  private static func precedes(_ ids: borrowing IDColumn, _ a: Int, _ b: Int) -> Bool {
    guard case .bytes(let first) = ids[a], case .bytes(let second) = ids[b] else { return false }
    return first.lexicographicallyPrecedes(second)
  }

  /// Whether `a` comes before `b`.
  static func precedes(_ a: EmbeddingID, _ b: EmbeddingID) -> Bool {
    switch (a, b) {
    case (.int64(let a), .int64(let b)): return a < b
    case (.bytes(let a), .bytes(let b)):
      let (first, second) = (a.withUnsafeBytes { xxh3($0) }, b.withUnsafeBytes { xxh3($0) })
      return first != second ? first < second : a.lexicographicallyPrecedes(b)
    default: return false
    }
  }
}
