import Synchronization

/// Whether lookups for serving had better leave the cache alone: where few of their ids are there,
/// and what is past it comes from memory, to ask it costs more than it saves.
///
/// One batch in sixteen asks it even so: to see whether that has changed, and to bring rows in.
/// Where rows come from a disk, every hit is worth more than all the asking, so that the time that
/// rows past the cache take decides as well. Batches are counted without a lock; what is lost in a
/// race is a batch that asks in vain.
final class CacheAdvice: Sendable {
  /// Batches below this size say nothing.
  static let leastBatch = 256
  private static let batchesWithout = 15
  /// Where a row past the cache takes longer than this, it does not come from memory.
  private static let slowRow = Duration.nanoseconds(1000)

  private let remaining = Atomic<Int>(0)

  /// Whether the next batch is to go past the cache.
  func takeBatchWithout() -> Bool {
    guard remaining.load(ordering: .relaxed) > 0 else { return false }
    return remaining.subtract(1, ordering: .relaxed).newValue >= 0
  }

  /// Notes how a batch fared that asked the cache.
  func note(hits: Int, misses: Int, missTime: Duration) {
    let isPast = 2 * hits < misses && missTime < Self.slowRow * misses
    let new = isPast ? Self.batchesWithout : 0
    if remaining.load(ordering: .relaxed) != new { remaining.store(new, ordering: .relaxed) }
  }

  /// Notes how a batch fared that did not.
  func note(rows: Int, time: Duration) {
    if time >= Self.slowRow * rows { remaining.store(0, ordering: .relaxed) }
  }
}
