import CKernels
import Synchronization

/// Where the indexes of a table's shards stand: for batches that ask for the buckets of the next shard
/// while they are at work on one, without its lock.
///
/// Unsafe: what stands here may have been freed by the time it is read, so it is only asked for, never
/// read; and place and size may be those of two indexes.
final class IndexPlaces: Sendable {
  private struct Places: @unchecked Sendable {
    // Unchecked: the words are atomic, and the memory lives as long as this.
    let words: UnsafeMutablePointer<Atomic<UInt>>
  }
  private let places: Places
  private let shardCount: Int

  init(shardCount: Int) {
    self.shardCount = shardCount
    places = Places(words: .allocate(capacity: 2 * shardCount))
    for k in 0..<2 * shardCount { (places.words + k).initialize(to: Atomic(0)) }
  }

  deinit {
    places.words.deinitialize(count: 2 * shardCount)
    places.words.deallocate()
  }

  /// Notes the index of a shard.
  func note(_ index: RowIndex, ofShard number: Int) {
    places.words[2 * number].store(UInt(bitPattern: index.memory), ordering: .relaxed)
    places.words[2 * number + 1].store(UInt(index.bucketCount), ordering: .relaxed)
  }

  /// Asks for the buckets of some hashes of a shard.
  func prefetch(_ hashes: UnsafeBufferPointer<UInt64>, ofShard number: Int) {
    let word = places.words[2 * number].load(ordering: .relaxed)
    guard let memory = UnsafeRawPointer(bitPattern: word) else { return }
    let bucketCount = Int(places.words[2 * number + 1].load(ordering: .relaxed))
    for hash in hashes {
      ck_prefetch(memory + RowIndex.home(hash, of: bucketCount) &* RowIndex.bucketBytes)
    }
  }
}
