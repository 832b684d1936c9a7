import CKernels
import StorageBase

/// An id as the cache looks for it.
struct RowKey {
  /// An Int64 id's bit pattern, or the XXH3 of a byte-string id.
  let key: UInt64
  /// The bytes of a byte-string id; empty for an Int64 id.
  let bytes: UnsafeRawBufferPointer

  init(int64: Int64) {
    key = UInt64(bitPattern: int64)
    bytes = UnsafeRawBufferPointer(start: nil, count: 0)
  }

  init(key: UInt64, bytes: UnsafeRawBufferPointer) {
    self.key = key
    self.bytes = bytes
  }

  /// The hash that spreads keys over shards (its high bits) and the index (its low bits).
  ///
  /// The keys of byte-string ids are hashes already; to mix them again costs a nanosecond and lets
  /// tests put ids of their own choosing side by side.
  @inline(__always)
  static func hash(_ key: UInt64) -> UInt64 { mix64(key &+ golden) }
}

/// Open addressing with linear probing; rows are removed by shifting those behind them back, so
/// that there are no tombstones and the cost stays that of the load (at most 0.8).
extension RowShard {
  /// Asks for the index entry of `hash` to be brought close.
  @inline(__always)
  func prefetchIndex(_ hash: UInt64) {
    ck_prefetch(index + Int(UInt32(truncatingIfNeeded: hash)) & indexMask)
  }

  /// The first slot whose entry has the low half of `hash`: almost surely the row looked for, if
  /// there is one. -1 if no entry matches. Touches the index alone.
  @inline(__always)
  func candidate(_ hash: UInt64) -> Int {
    let fragment = UInt64(UInt32(truncatingIfNeeded: hash))
    var position = Int(fragment) & indexMask
    while true {
      let entry = index[position]
      if entry == 0 { return -1 }
      if entry >> 32 == fragment { return Int(entry & 0xffff_ffff) - 1 }
      position = (position + 1) & indexMask
    }
  }

  /// Asks for a row's header and vector to be brought close.
  @inline(__always)
  func prefetchRow(_ slot: Int, floatCount: Int) {
    ck_prefetch(header(slot))
    let start = UnsafeRawPointer(floats(slot))
    var offset = 0
    while offset < floatCount * 4 {
      ck_prefetch(start + offset)
      offset += 64
    }
  }

  /// Whether the row in `slot` is that of `key`.
  @inline(__always)
  func matches(_ slot: Int, _ key: RowKey) -> Bool {
    guard header(slot).pointee.key == key.key else { return false }
    return !layout.hasBytes || isEqual(idBytes(slot), key.bytes)
  }

  /// The slot of `key`, or -1.
  func find(_ key: RowKey) -> Int {
    find(key, hash: RowKey.hash(key.key))
  }

  /// The slot of `key`, whose hash is known, or -1.
  @inline(__always)
  func find(_ key: RowKey, hash: UInt64) -> Int {
    let fragment = UInt64(UInt32(truncatingIfNeeded: hash))
    var position = Int(fragment) & indexMask
    while true {
      let entry = index[position]
      if entry == 0 { return -1 }
      if entry >> 32 == fragment {
        let slot = Int(entry & 0xffff_ffff) - 1
        if matches(slot, key) { return slot }
      }
      position = (position + 1) & indexMask
    }
  }

  /// The slot of the row with this key and committed row number, or -1.
  func find(key: UInt64, row: UInt64) -> Int {
    let fragment = UInt64(UInt32(truncatingIfNeeded: RowKey.hash(key)))
    var position = Int(fragment) & indexMask
    while true {
      let entry = index[position]
      if entry == 0 { return -1 }
      if entry >> 32 == fragment {
        let slot = Int(entry & 0xffff_ffff) - 1
        if header(slot).pointee.key == key && header(slot).pointee.row == row { return slot }
      }
      position = (position + 1) & indexMask
    }
  }

  /// Enters a slot whose key is not in the index yet.
  mutating func enter(_ slot: Int, hash: UInt64) {
    let fragment = UInt64(UInt32(truncatingIfNeeded: hash))
    var position = Int(fragment) & indexMask
    while index[position] != 0 { position = (position + 1) & indexMask }
    index[position] = fragment << 32 | UInt64(slot + 1)
  }

  /// Takes a slot out of the index.
  mutating func leave(_ slot: Int) {
    let fragment = UInt64(UInt32(truncatingIfNeeded: RowKey.hash(header(slot).pointee.key)))
    var hole = Int(fragment) & indexMask
    while index[hole] & 0xffff_ffff != UInt64(slot + 1) { hole = (hole + 1) & indexMask }
    var next = (hole + 1) & indexMask
    while index[next] != 0 {
      let home = Int(index[next] >> 32) & indexMask
      // The entry may move back to the hole unless its home lies between the two.
      if (next - home) & indexMask >= (next - hole) & indexMask {
        index[hole] = index[next]
        hole = next
      }
      next = (next + 1) & indexMask
    }
    index[hole] = 0
  }

  mutating func rebuildIndex(size: Int) {
    let old = index
    let oldSize = indexMask + 1
    index = .allocate(capacity: size)
    index.initialize(repeating: 0, count: size)
    indexMask = size - 1
    for position in 0..<oldSize where old[position] != 0 {
      var target = Int(old[position] >> 32) & indexMask
      while index[target] != 0 { target = (target + 1) & indexMask }
      index[target] = old[position]
    }
    old.deallocate()
  }
}
