import LMDB
import StorageBase
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Whether the blocks that lookups read past the cache come from a disk.
///
/// Then a batch asks for its blocks some rows ahead, so that the disk has several reads to do at once:
/// one after the other, each would wait for the one before. To ask costs a system call a row, more
/// than a row costs that is in memory. So a batch counts the pages that its thread had to wait for,
/// and where they were many the next ones ask; one of 16 counts anew.
final class ColdReads: Sendable {
  /// Batches with fewer misses neither count nor ask.
  private static let leastMisses = 64
  private static let batchesAsking = 15

  private let remaining = Atomic<Int>(0)

  /// A batch that reads rows past the cache.
  struct Batch {
    /// Whether it is to ask ahead.
    let asksAhead: Bool
    fileprivate let misses: Int
    /// The thread's faults before; nil where they do not count.
    fileprivate let faults: Int?
  }

  /// Begins a batch with as many misses.
  func begin(misses: Int) -> Batch {
    guard misses >= Self.leastMisses else {
      return Batch(asksAhead: false, misses: misses, faults: nil)
    }
    if remaining.load(ordering: .relaxed) > 0 {
      remaining.subtract(1, ordering: .relaxed)
      return Batch(asksAhead: true, misses: misses, faults: nil)
    }
    return Batch(asksAhead: false, misses: misses, faults: Self.faults())
  }

  func end(_ batch: Batch) {
    guard let before = batch.faults else { return }
    if Self.faults() - before > batch.misses / 32 { askAhead() }
  }

  /// Has the next batches ask.
  func askAhead() { remaining.store(Self.batchesAsking, ordering: .relaxed) }

  /// Pages that the calling thread waited for a disk to read.
  private static func faults() -> Int {
    #if os(Linux)
      var usage = rusage()
      // RUSAGE_THREAD, which Swift does not see.
      let thread: __rusage_who_t = 1
      return getrusage(thread, &usage) == 0 ? usage.ru_majflt : 0
    #else
      return 0
    #endif
  }
}

extension BlockLayout {
  /// Asks the system for the pages of a row's key and vector, whose block is in the map.
  func askAhead(_ index: Int, of block: UnsafeRawPointer) {
    let vector = block + vectorsOffset + 4 * dimension * index
    let end = vector + 4 * dimension
    // A block of a few pages is one read.
    guard pages > 4 else {
      return askForPages(UnsafeRawBufferPointer(start: block, count: byteCount))
    }
    askForPages(UnsafeRawBufferPointer(start: block + keysOffset + 8 * index, count: 8))
    askForPages(UnsafeRawBufferPointer(start: vector, count: end - vector))
  }
}

/// Rows on their way from the disk: each is held back until some more were asked for.
struct RowsAhead {
  /// As many reads keep the disks of today busy.
  private static let most = 32

  private let asksAhead: Bool
  private var waiting: [(position: Int, stored: StoredRow?)] = []
  private var next = 0

  init(asksAhead: Bool) {
    self.asksAhead = asksAhead
    if asksAhead { waiting.reserveCapacity(Self.most) }
  }

  /// Takes a row in, asks for it, and hands the one to `body` whose turn it is: this one where nothing
  /// is asked for. Rows come out in their order.
  @inline(__always)
  mutating func add(
    _ position: Int, _ stored: StoredRow?,
    _ body: (Int, StoredRow?) throws(EmbeddingError) -> Bool
  ) throws(EmbeddingError) -> Bool {
    guard asksAhead else { return try body(position, stored) }
    if let stored, let start = stored.block.bytes.baseAddress {
      stored.block.layout.askAhead(stored.index, of: start)
    }
    guard waiting.count == Self.most else {
      waiting.append((position, stored))
      return true
    }
    let first = waiting[next]
    waiting[next] = (position, stored)
    next = (next + 1) % Self.most
    return try body(first.position, first.stored)
  }

  /// Hands over what is left.
  func finish(
    _ body: (Int, StoredRow?) throws(EmbeddingError) -> Bool
  ) throws(EmbeddingError) -> Bool {
    for i in waiting.indices {
      let row = waiting[(next + i) % waiting.count]
      guard try body(row.position, row.stored) else { return false }
    }
    return true
  }
}
