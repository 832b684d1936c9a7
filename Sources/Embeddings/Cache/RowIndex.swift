import CKernels

/// Finds slots by hash: a hash table of buckets that fill one cache line each.
///
///     +-----------------+----------+---------+--------------------+
///     | tags            | overflow | (empty) | slots              |
///     | u8 [12], 0 none | u8       | u8 [3]  | u32 [12]           |
///     +-----------------+----------+---------+--------------------+
///
/// A tag is a byte of the hash, and all tags of a bucket are compared at once; whoever looks a row
/// up then compares its whole hash. What finds its bucket full goes to the next one that is not,
/// and is counted in `overflow` of each bucket that it passed, so that a search knows whether to go
/// on. There are no tombstones, and the number of buckets need not be a power of two: 9 of 10 places
/// are filled before the index grows by a third, so that it takes 6 to 8 bytes a row.
///
/// Unsafe: raw memory, which its owner gives back; all of it is the shard's, under the shard's lock.
struct RowIndex {
  static let width = 12
  private static let bucketBytes = 64
  private static let overflowOffset = 12
  private static let slotsOffset = 16

  /// The buckets, aligned to cache lines.
  let memory: UnsafeMutableRawPointer
  let bucketCount: Int

  /// An empty index of `bucketCount` buckets, in memory of `source` or else the system's.
  init(bucketCount: Int, in source: IndexMemory? = nil) {
    self.bucketCount = bucketCount
    memory =
      source?.take(Self.bytes(bucketCount))
      ?? .allocate(byteCount: Self.bytes(bucketCount), alignment: 64)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: Self.bytes(bucketCount))
  }

  /// Gives the memory back to where it came from.
  func free(to source: IndexMemory? = nil) {
    if let source { source.giveBack(memory, Self.bytes(bucketCount)) } else { memory.deallocate() }
  }

  static func bytes(_ bucketCount: Int) -> Int { bucketCount * bucketBytes }

  /// The rows for which `bucketCount` buckets are enough.
  static func capacity(_ bucketCount: Int) -> Int { bucketCount * width * 9 / 10 }

  @inline(__always)
  private func home(_ hash: UInt64) -> Int {
    // The low half of the hash as a fraction: buckets in the order of it.
    Int(((hash & 0xffff_ffff) &* UInt64(bucketCount)) >> 32)
  }

  @inline(__always)
  private static func tag(_ hash: UInt64) -> UInt8 {
    let tag = UInt8(truncatingIfNeeded: hash >> 32)
    return tag == 0 ? 1 : tag
  }

  @inline(__always)
  private func bucket(_ number: Int) -> UnsafeMutableRawPointer {
    memory + number &* Self.bucketBytes
  }

  @inline(__always)
  private func next(_ number: Int) -> Int { number + 1 == bucketCount ? 0 : number + 1 }

  /// The slot at a place, as it stands in the index.
  @inline(__always)
  private static func slot(_ bucket: UnsafeMutableRawPointer, _ place: Int) -> Int {
    Int(bucket.load(fromByteOffset: slotsOffset + 4 &* place, as: UInt32.self))
  }

  /// Asks for the bucket of `hash` to be brought close.
  @inline(__always)
  func prefetch(_ hash: UInt64) { ck_prefetch(bucket(home(hash))) }

  /// The first slot whose tag is that of `hash`: very likely the row looked for, if there is one.
  /// -1 where there is none.
  @inline(__always)
  func candidate(_ hash: UInt64) -> Int {
    var number = home(hash)
    // At most once round: every bucket may have passed something on.
    for _ in 0..<bucketCount {
      let bucket = bucket(number)
      let found = ck_match_tags(bucket, Self.tag(hash))
      if found != 0 { return Self.slot(bucket, found.trailingZeroBitCount) }
      if bucket.load(fromByteOffset: Self.overflowOffset, as: UInt8.self) == 0 { return -1 }
      number = next(number)
    }
    return -1
  }

  /// The slot for which `matches` holds, among those with the tag of `hash`; or -1.
  @inline(__always)
  func find(_ hash: UInt64, where matches: (_ slot: Int) -> Bool) -> Int {
    var number = home(hash)
    for _ in 0..<bucketCount {
      let bucket = bucket(number)
      var found = ck_match_tags(bucket, Self.tag(hash))
      while found != 0 {
        let slot = Self.slot(bucket, found.trailingZeroBitCount)
        if matches(slot) { return slot }
        found &= found &- 1
      }
      if bucket.load(fromByteOffset: Self.overflowOffset, as: UInt8.self) == 0 { return -1 }
      number = next(number)
    }
    return -1
  }

  /// Enters a slot, for which there must be room.
  func enter(_ slot: Int, hash: UInt64) {
    var number = home(hash)
    while true {
      let bucket = bucket(number)
      let free = ck_match_tags(bucket, 0)
      if free != 0 {
        let place = free.trailingZeroBitCount
        bucket.storeBytes(of: Self.tag(hash), toByteOffset: place, as: UInt8.self)
        bucket.storeBytes(
          of: UInt32(slot), toByteOffset: Self.slotsOffset + 4 * place, as: UInt32.self)
        return
      }
      countOverflow(bucket, 1)
      number = next(number)
    }
  }

  /// Takes a slot out, which must be there.
  func leave(_ slot: Int, hash: UInt64) {
    var number = home(hash)
    while true {
      let bucket = bucket(number)
      var found = ck_match_tags(bucket, Self.tag(hash))
      while found != 0 {
        let place = found.trailingZeroBitCount
        if Self.slot(bucket, place) == slot {
          bucket.storeBytes(of: 0, toByteOffset: place, as: UInt8.self)
          return
        }
        found &= found &- 1
      }
      countOverflow(bucket, -1)
      number = next(number)
    }
  }

  /// Changes a bucket's count of what went on to others; at 255 it stays, and is right after the
  /// next growth.
  private func countOverflow(_ bucket: UnsafeMutableRawPointer, _ change: Int) {
    let count = Int(bucket.load(fromByteOffset: Self.overflowOffset, as: UInt8.self))
    guard count < 255 else { return }
    bucket.storeBytes(
      of: UInt8(count + change), toByteOffset: Self.overflowOffset, as: UInt8.self)
  }
}
