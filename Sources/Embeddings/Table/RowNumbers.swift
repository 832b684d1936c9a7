import CKernels
import StorageBase
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The memory of a ``RowNumberCache``: buckets of one cache line, found by the high bits of an id's
/// hash. An entry is a tag, of the hash's low bits and never 0, above a row number; 0 is no entry.
///
///     narrow: 16 entries of 32 bits a bucket, for up to 2^25 rows: tags of 6 bits or more
///     wide:    8 entries of 64 bits a bucket: tags of 24 bits, row numbers of 40
///
/// An entry that finds its bucket full stands in the other one of the pair, on the line beside it; where
/// that is full as well, it takes the place of another entry.
///
/// Any number of threads read and write; the words are atomic, in no order.
final class RowNumbers: @unchecked Sendable {
  // Unchecked: the words are atomic, and the memory lives as long as this.
  typealias Word = Atomic<UInt64>
  private static let wordsPerBucket = 8
  private static let hugePage = 2 << 20

  let shape: Shape
  private let words: UnsafeMutablePointer<Word>
  private let stored = Atomic<Int>(0)
  private let budget: CacheBudget

  /// Empty buckets, or nil where the budget has no room for them.
  init?(_ shape: Shape, budget: CacheBudget) {
    guard shape.bucketCount > 0, budget.reserveForLookups(shape.bytes) else { return nil }
    self.shape = shape
    self.budget = budget
    // Every entry is somewhere else: huge pages, if most of each would be used.
    let isHuge = shape.bytes >= 2 * Self.hugePage
    var memory: UnsafeMutableRawPointer?
    let status = posix_memalign(&memory, isHuge ? Self.hugePage : Shape.bucketBytes, shape.bytes)
    precondition(status == 0, "out of memory: row numbers need \(shape.bytes) bytes more")
    let start = memory.unsafelyUnwrapped
    #if os(Linux)
      if isHuge { madvise(start, shape.bytes, MADV_HUGEPAGE) }
    #endif
    memset(start, 0, shape.bytes)
    words = start.bindMemory(to: Word.self, capacity: shape.bytes / 8)
  }

  deinit {
    free(words)
    budget.releaseForLookups(shape.bytes)
  }

  /// The buckets, for the kernel that looks ids up.
  var start: UnsafeRawPointer { UnsafeRawPointer(words) }

  /// Entries stored so far, those that were replaced since included.
  var storedCount: Int { stored.load(ordering: .relaxed) }

  @inline(__always)
  private func bucket(_ hash: UInt64) -> UnsafeMutablePointer<Word> {
    words + Int(hash.multipliedFullWidth(by: UInt64(shape.bucketCount)).high) * Self.wordsPerBucket
  }

  /// Asks for the bucket of `hash` to be brought close.
  @inline(__always)
  func prefetch(_ hash: UInt64) { ck_prefetch(bucket(hash)) }

  /// The other bucket of a pair; the last one may have none, and is its own then.
  @inline(__always)
  private func other(_ bucket: UnsafeMutablePointer<Word>) -> UnsafeMutablePointer<Word> {
    let number = (bucket - words) / Self.wordsPerBucket
    return number ^ 1 < shape.bucketCount ? words + (number ^ 1) * Self.wordsPerBucket : bucket
  }

  /// The rows that the id with this hash may have. None for the id whose key is 0: the places of a
  /// block without a row look like it.
  @inline(__always)
  func candidates(_ hash: UInt64) -> Candidates {
    let bucket = bucket(hash)
    guard hash != Self.hashOfZero else {
      return Candidates(bucket: bucket, rowMask: shape.rowMask, places: 0)
    }
    return candidates(bucket, tag: shape.tag(hash))
  }

  @inline(__always)
  private func candidates(_ bucket: UnsafeMutablePointer<Word>, tag: UInt64) -> Candidates {
    let found = places(bucket, tag: tag)
    if found != 0 || places(bucket, tag: 0) != 0 {
      return Candidates(bucket: bucket, rowMask: shape.rowMask, places: found)
    }
    let other = other(bucket)
    return Candidates(bucket: other, rowMask: shape.rowMask, places: places(other, tag: tag))
  }

  private static let hashOfZero = RowKey.hash(0)

  /// Which entries of a bucket have a tag (0: are empty). Bit `i` stands for the low half of word
  /// `i` or, in wide buckets, for the word; bit `32 + i` for its high half.
  @inline(__always)
  private func places(_ bucket: UnsafeMutablePointer<Word>, tag: UInt64) -> UInt64 {
    var places: UInt64 = 0
    if shape.isWide {
      for i in 0..<Self.wordsPerBucket {
        let word = bucket[i].load(ordering: .relaxed)
        places |= (word >> shape.rowBits == tag ? 1 : 0) << UInt64(i)
      }
      return places
    }
    let wanted = tag << shape.rowBits | tag << (shape.rowBits + 32)
    let tagMask = shape.tagMask
    for i in 0..<Self.wordsPerBucket {
      // A half becomes 0 where the tag is the one looked for, else more than 1: then 1 less than it
      // has the uppermost bit and it has not. The row numbers below the tags are masked out.
      let half = (bucket[i].load(ordering: .relaxed) ^ wanted) & tagMask
      let found = (half &- 0x0000_0001_0000_0001) & ~half & 0x8000_0000_8000_0000
      places |= (found >> 31) << UInt64(i)
    }
    return places
  }

  /// Notes the row number of an id.
  func store(_ hash: UInt64, row: UInt64) {
    guard row <= shape.rowMask else { return }
    var bucket = bucket(hash)
    let tag = shape.tag(hash)
    if has(row, in: bucket, tag: tag) { return }
    var empty = places(bucket, tag: 0)
    if empty == 0 {
      let other = other(bucket)
      if has(row, in: other, tag: tag) { return }
      empty = places(other, tag: 0)
      if empty != 0 { bucket = other }
    }
    // Bits of the hash that neither bucket nor tag depend on.
    let victim = Int(truncatingIfNeeded: hash >> 26) & (shape.isWide ? 7 : 39)
    set(bucket, empty != 0 ? empty.trailingZeroBitCount : victim, tag << shape.rowBits | row)
    stored.add(1, ordering: .relaxed)
  }

  private func has(_ row: UInt64, in bucket: UnsafeMutablePointer<Word>, tag: UInt64) -> Bool {
    var known = Candidates(
      bucket: bucket, rowMask: shape.rowMask, places: places(bucket, tag: tag))
    while let other = known.next() { if other == row { return true } }
    return false
  }

  /// Takes the entry of an id and a row out, or gives it the row's new number.
  func move(_ hash: UInt64, from row: UInt64, to new: UInt64?) {
    let home = bucket(hash)
    let tag = shape.tag(hash)
    for bucket in [home, other(home)] {
      var known = Candidates(
        bucket: bucket, rowMask: shape.rowMask, places: places(bucket, tag: tag))
      while true {
        let place = known.place
        guard let other = known.next() else { break }
        if other == row {
          let entry = new.map { $0 <= shape.rowMask ? tag << shape.rowBits | $0 : 0 } ?? 0
          return set(bucket, place, entry)
        }
      }
    }
  }

  /// Writes an entry; not at all where another thread is just writing the word.
  private func set(_ bucket: UnsafeMutablePointer<Word>, _ place: Int, _ entry: UInt64) {
    let word = bucket + (place & 31)
    let shift = UInt64(place & 32)
    let mask: UInt64 = shape.isWide ? .max : 0xffff_ffff << shift
    let old = word.pointee.load(ordering: .relaxed)
    _ = word.pointee.weakCompareExchange(
      expected: old, desired: old & ~mask | entry << shift, ordering: .relaxed)
  }
}

extension RowNumbers {
  /// The entries of a bucket with the tag of an id. Not to be kept longer than the lease.
  struct Candidates {
    fileprivate let bucket: UnsafeMutablePointer<Word>
    fileprivate let rowMask: UInt64
    fileprivate var places: UInt64

    fileprivate var place: Int { places.trailingZeroBitCount }

    /// The next row that may be the id's; nil after the last. Row 0 or another id's row where another
    /// thread changes the entry just now: the caller checks whose row it is.
    @inline(__always)
    mutating func next() -> UInt64? {
      guard places != 0 else { return nil }
      let place = place
      places &= places &- 1
      return bucket[place & 31].load(ordering: .relaxed) >> UInt64(place & 32) & rowMask
    }
  }

  /// How many buckets, and of which kind.
  struct Shape: Equatable {
    static let bucketBytes = 64
    let bucketCount: Int
    /// Bits of a row number in an entry.
    let rowBits: UInt64
    let isWide: Bool

    /// Buckets for `entries` of a table with `rowCount` rows, which may become twice as many.
    init(rowCount: UInt64, entries: Int) {
      let bits = UInt64(64 - (rowCount * 2).leadingZeroBitCount)
      isWide = bits > 26
      rowBits = isWide ? 40 : max(bits, 20)
      let perBucket = isWide ? 8 : 16
      bucketCount = (entries + perBucket - 1) / perBucket
    }

    private init(bucketCount: Int, like other: Shape) {
      self.bucketCount = bucketCount
      rowBits = other.rowBits
      isWide = other.isWide
    }

    /// No more buckets than fit into so many bytes.
    func limited(toBytes bytes: Int) -> Shape {
      Shape(bucketCount: max(0, min(bucketCount, bytes / Self.bucketBytes)), like: self)
    }

    /// Not many more buckets than for so many entries.
    func limited(toEntries entries: Int) -> Shape {
      let limited = Shape(
        bucketCount: min(bucketCount, (entries + perBucket - 1) / perBucket), like: self)
      return bucketCount < limited.bucketCount / 2 * 3 ? self : limited
    }

    /// Whether it is time for this shape, where so many entries were stored in the old one: where it is larger by half, and
    /// a quarter of the old one is in use.
    func isGrowth(of old: Shape, entries: Int) -> Bool {
      bucketCount >= (old.bucketCount + 1) / 2 * 3 && entries >= old.entries / 4
    }

    private var perBucket: Int { isWide ? 8 : 16 }
    var entries: Int { bucketCount * perBucket }
    var bytes: Int { bucketCount * Self.bucketBytes }
    var rowMask: UInt64 { 1 << rowBits - 1 }
    /// The bits of the tags in a word of narrow entries.
    var tagMask: UInt64 { ~(rowMask | rowMask << 32) }

    /// The tag of a hash.
    @inline(__always)
    func tag(_ hash: UInt64) -> UInt64 {
      let tag = hash & (isWide ? 0xff_ffff : 0xffff_ffff >> rowBits)
      return tag == 0 ? 1 : tag
    }
  }
}
