import CKernels

/// The exact counts of one stripe: an open-addressing table from hash to count.
///
///     +-----------------+-----------------+---------+
///     | hashes          | counts          | (empty) |
///     | u64 [5]         | u32 [5], 0 none | u8 [4]  |
///     +-----------------+-----------------+---------+
///
/// Buckets fill one cache line each and stand in the order of the hashes. What finds its bucket
/// full goes to the next one that is not. Nothing is ever removed. 8 of 10 places are filled before
/// the table grows by half: 16 to 24 bytes an id.
///
/// Unsafe: raw memory of the table's own, which its owner frees.
struct CountTable {
  static let width = 5
  private static let countsOffset = 40

  private(set) var count = 0
  private var bucketCount = 1
  private var memory: UnsafeMutableRawPointer

  init() { memory = FilterMemory.zeroed(FilterMemory.line) }

  func free() { FilterMemory.free(memory) }

  var bytes: Int { bucketCount * FilterMemory.line }

  /// Places for entries, taken or not.
  var places: Int { bucketCount * Self.width }

  @inline(__always)
  private func home(_ hash: UInt64) -> Int {
    Int(truncatingIfNeeded: (hash << 6).multipliedFullWidth(by: UInt64(bucketCount)).high)
  }

  @inline(__always)
  private func hashes(_ bucket: Int) -> UnsafeMutablePointer<UInt64> {
    (memory + bucket &* FilterMemory.line).assumingMemoryBound(to: UInt64.self)
  }

  @inline(__always)
  private func counts(_ bucket: Int) -> UnsafeMutablePointer<UInt32> {
    (memory + bucket &* FilterMemory.line + Self.countsOffset)
      .assumingMemoryBound(to: UInt32.self)
  }

  @inline(__always)
  func prefetch(_ hash: UInt64) { ck_prefetch(hashes(home(hash))) }

  /// The place of the hash, or the empty one where it belongs.
  @inline(__always)
  private func find(_ hash: UInt64) -> (
    hash: UnsafeMutablePointer<UInt64>, UnsafeMutablePointer<UInt32>
  ) {
    var bucket = home(hash)
    while true {
      let hashes = hashes(bucket)
      let counts = counts(bucket)
      for i in 0..<Self.width where counts[i] == 0 || hashes[i] == hash {
        return (hashes + i, counts + i)
      }
      bucket &+= 1
      if bucket == bucketCount { bucket = 0 }
    }
  }

  /// The count of a hash, 0 where it has none.
  @inline(__always)
  func count(of hash: UInt64) -> UInt32 { find(hash).1.pointee }

  /// Adds to a count, saturating at `maximum`; returns what it was before.
  @inline(__always)
  mutating func add(_ times: UInt32, to hash: UInt64, maximum: UInt32, counts: inout FilterCounts)
    -> UInt32
  {
    var place = find(hash)
    let before = place.1.pointee
    guard before < maximum, times > 0 else { return before }
    if before == 0 {
      if count >= places * 8 / 10 {
        grow(to: bucketCount + bucketCount / 2 + 1)
        place = find(hash)
      }
      count += 1
      place.hash.pointee = hash
      counts.distinctIDs &+= 1
      counts.nonzeroCells &+= 1
    }
    let after = before &+ min(times, maximum &- before)
    place.1.pointee = after
    if after == maximum { counts.idsAtThreshold &+= 1 }
    return before
  }

  /// Makes room for `count` entries in all.
  mutating func reserve(_ count: Int) {
    let buckets = count * 10 / 8 / Self.width + 1
    if buckets > bucketCount { grow(to: buckets) }
  }

  @inline(never)
  private mutating func grow(to bucketCount: Int) {
    let old = self
    self.bucketCount = bucketCount
    memory = FilterMemory.zeroed(bucketCount * FilterMemory.line)
    old.forEach { hash, count in
      let place = find(hash)
      place.hash.pointee = hash
      place.1.pointee = count
    }
    old.free()
  }

  /// Calls `body` with every entry, in no order.
  func forEach(_ body: (UInt64, UInt32) -> Void) {
    for bucket in 0..<bucketCount {
      let (hashes, counts) = (hashes(bucket), counts(bucket))
      for i in 0..<Self.width where counts[i] != 0 { body(hashes[i], counts[i]) }
    }
  }
}
