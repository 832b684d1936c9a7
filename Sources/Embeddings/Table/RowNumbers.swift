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
/// An entry that finds its bucket full stands in one of the other three of its group: the first that
/// has room of those whose number differs in bit 0, in bit 1, in both. Where all four are full, it
/// takes the place of another entry.
///
/// Any number of threads read and write; the words are atomic, in no order.
final class RowNumbers: @unchecked Sendable {
  // Unchecked: the words are atomic, and the memory lives as long as this.
  typealias Word = Atomic<UInt64>

  let shape: Shape
  private let mapping: UnsafeMutableRawBufferPointer
  private let words: UnsafeMutablePointer<Word>
  private let stored = Atomic<Int>(0)
  private let budget: CacheBudget

  /// Empty buckets, or nil where the budget has no room for them.
  init?(_ shape: Shape, budget: CacheBudget) {
    guard shape.bucketCount > 0, budget.reserveForLookups(shape.bytes) else { return nil }
    self.shape = shape
    self.budget = budget
    // Every entry is somewhere else: huge pages, if most of each would be used.
    let isHuge = shape.bytes >= 2 * SystemMemory.hugePage
    // Fresh from the system memory is zero, and is cleared where and when it is first used.
    let size = isHuge ? shape.bytes + SystemMemory.hugePage : shape.bytes
    let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let memory, memory != MAP_FAILED else {
      fatalError("out of memory: row numbers need \(size) bytes more")
    }
    mapping = UnsafeMutableRawBufferPointer(start: memory, count: size)
    let start = isHuge ? memory.alignedUp(toMultipleOf: SystemMemory.hugePage) : memory
    #if os(Linux)
      if isHuge { madvise(start, shape.bytes, MADV_HUGEPAGE) }
    #endif
    words = start.bindMemory(to: Word.self, capacity: shape.bytes / 8)
  }

  deinit {
    munmap(mapping.baseAddress, mapping.count)
    budget.releaseForLookups(shape.bytes)
  }

  /// The buckets, for the kernel that looks ids up.
  var start: UnsafeRawPointer { UnsafeRawPointer(words) }

  /// Entries stored so far, those that were replaced since included.
  var storedCount: Int { stored.load(ordering: .relaxed) }

  /// Asks for the bucket of `hash` to be brought close.
  @inline(__always)
  func prefetch(_ hash: UInt64) {
    let buckets = Buckets(words: words, shape: shape)
    ck_prefetch(buckets.start(buckets.number(hash)))
  }

  /// The rows that the id with this hash may have. None for the id whose key is 0: the places of a
  /// block without a row look like it.
  @inline(__always)
  func candidates(_ hash: UInt64) -> Candidates {
    Candidates(
      Buckets(words: words, shape: shape), hash, isNone: hash == Self.hashOfZero)
  }

  private static let hashOfZero = RowKey.hash(0)

  /// Notes the row number of an id.
  func store(_ hash: UInt64, row: UInt64) {
    guard row <= shape.rowMask else { return }
    let buckets = Buckets(words: words, shape: shape)
    let home = buckets.number(hash)
    let entry = shape.tag(hash) << shape.rowBits | row
    for step in 0..<Buckets.groupSize {
      guard let bucket = buckets.bucket(home, step) else { continue }
      guard let place = buckets.place(of: entry, bucket) else { continue }
      return place.isEmpty ? add(bucket, place.number, entry) : ()
    }
    // Bits of the hash that neither bucket nor tag depend on.
    let victim = Int(truncatingIfNeeded: hash >> 26) & (shape.isWide ? 7 : 39)
    add(buckets.start(home), victim, entry)
  }

  private func add(_ bucket: UnsafeMutablePointer<Word>, _ place: Int, _ entry: UInt64) {
    set(bucket, place, entry)
    stored.add(1, ordering: .relaxed)
  }

  private func place(
    of row: UInt64, in bucket: UnsafeMutablePointer<Word>, tag: UInt64
  ) -> Int? {
    let buckets = Buckets(words: words, shape: shape)
    var places = buckets.places(bucket, tag: tag)
    while places != 0 {
      let place = places.trailingZeroBitCount
      if buckets.row(bucket, place) == row { return place }
      places &= places &- 1
    }
    return nil
  }

  /// Takes the entry of an id and a row out, or gives it the row's new number.
  func move(_ hash: UInt64, from row: UInt64, to new: UInt64?) {
    let buckets = Buckets(words: words, shape: shape)
    let home = buckets.number(hash)
    let tag = shape.tag(hash)
    for step in 0..<Buckets.groupSize {
      guard let bucket = buckets.bucket(home, step),
        let place = place(of: row, in: bucket, tag: tag)
      else { continue }
      let entry = new.map { $0 <= shape.rowMask ? tag << shape.rowBits | $0 : 0 } ?? 0
      return set(bucket, place, entry)
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
