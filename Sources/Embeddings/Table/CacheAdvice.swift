import StorageBase
import Synchronization

/// Whether lookups for serving had better leave the cache alone: where few of their ids are there,
/// and what is past it comes from memory, to ask it costs more than it saves.
///
/// Some batches ask it even so: to see whether that has changed, and to bring rows in. First it is
/// one in sixteen; as long as the cache answers no more of the ids than it did last time, half as
/// many each time, down to one in 128. Where rows come from a disk, every hit is worth more than
/// all the asking, so that the time that rows past the cache take decides as well. Batches are
/// counted without a lock; what is lost in a race is a batch that asks in vain.
final class CacheAdvice: Sendable {
  /// Batches below this size say nothing.
  static let leastBatch = 256
  private static let fewestBatchesWithout = 15
  private static let mostBatchesWithout = 127
  /// Where a row past the cache takes longer than this, it does not come from memory.
  private static let slowRow = Duration.nanoseconds(1000)

  private let remaining = Atomic<Int>(0)
  /// How many batches went past the cache, or will, since one asked it.
  private let batchesWithout = Atomic<Int>(0)
  /// The hits of the last batch that asked, among 1024 ids.
  private let lastHits = Atomic<Int>(0)

  /// Whether the next batch is to go past the cache.
  func takeBatchWithout() -> Bool {
    guard remaining.load(ordering: .relaxed) > 0 else { return false }
    return remaining.subtract(1, ordering: .relaxed).newValue >= 0
  }

  /// Notes how a batch fared that asked the cache.
  func note(hits: Int, misses: Int, missTime: Duration) {
    guard 2 * hits < misses && missTime < Self.slowRow * misses else { return forget() }
    let now = 1024 * hits / (hits + misses)
    let last = lastHits.exchange(now, ordering: .relaxed)
    let before = batchesWithout.load(ordering: .relaxed)
    // A quarter more, and more than chance adds to few hits of few ids.
    let isRising = now > last + last / 4 + 8
    let new =
      before == 0 || isRising
      ? Self.fewestBatchesWithout : min(2 * before + 1, Self.mostBatchesWithout)
    batchesWithout.store(new, ordering: .relaxed)
    remaining.store(new, ordering: .relaxed)
  }

  /// Notes how a batch fared that did not.
  func note(rows: Int, time: Duration) {
    if time >= Self.slowRow * rows { forget() }
  }

  /// From now on, batches ask the cache.
  private func forget() {
    if batchesWithout.load(ordering: .relaxed) != 0 {
      batchesWithout.store(0, ordering: .relaxed)
    }
    if remaining.load(ordering: .relaxed) != 0 { remaining.store(0, ordering: .relaxed) }
  }
}
