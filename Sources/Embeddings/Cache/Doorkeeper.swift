import Synchronization

/// Decides which rows that are read for serving enter a full cache: those that were missed before,
/// not long ago.
///
/// A stream of ids that hardly repeat would otherwise push rows out that are used, and pay for an
/// insertion and an eviction each, for rows that nobody asks for again. The doorkeeper remembers
/// ids by a bit of a hash (Einziger, Friedman, Manes, 2017, "TinyLFU", section 3.4.2), and forgets
/// all of them when it has seen as many as the cache has room for; that much later, the row would have
/// been evicted again.
///
/// 8 bits a row: at most an eighth of the ids that are new to it, and half of that on average, are
/// let in for the sake of another one. Threads may ask side by side; what they lose by it is such a
/// mistake.
final class Doorkeeper: @unchecked Sendable {
  // Unchecked: the words are atomic, and live as long as this.
  private let words: UnsafeMutablePointer<Atomic<UInt64>>
  private let wordCount: Int
  private let capacity: Int
  private let noted = Atomic<Int>(0)
  private let budget: CacheBudget

  /// Nil where the budget has no room for it.
  ///
  /// - Parameter rows: what the cache has room for.
  init?(rows: Int, budget: CacheBudget) {
    capacity = max(64, rows)
    wordCount = (capacity + 7) / 8
    self.budget = budget
    guard budget.reserveForLookups(wordCount * 8) else { return nil }
    words = .allocate(capacity: wordCount)
    for i in 0..<wordCount { (words + i).initialize(to: Atomic(0)) }
  }

  deinit {
    words.deallocate()
    budget.releaseForLookups(wordCount * 8)
  }

  /// Whether the id with this hash was noted before; notes it.
  @inline(__always)
  func admits(_ hash: UInt64) -> Bool {
    // Neither the shard's bits of the hash nor the index's alone: a batch asks shard by shard.
    let mixed = hash &* 0x9E37_79B9_7F4A_7C15
    let word = words + Int(mixed.multipliedFullWidth(by: UInt64(wordCount)).high)
    let bit: UInt64 = 1 << (mixed & 63)
    let old = word.pointee.load(ordering: .relaxed)
    if old & bit != 0 { return true }
    note(word, bit)
    return false
  }

  @inline(never)
  private func note(_ word: UnsafeMutablePointer<Atomic<UInt64>>, _ bit: UInt64) {
    word.pointee.bitwiseOr(bit, ordering: .relaxed)
    if noted.add(1, ordering: .relaxed).newValue >= capacity { clear() }
  }

  /// Forgets all.
  func clear() {
    noted.store(0, ordering: .relaxed)
    for i in 0..<wordCount { words[i].store(0, ordering: .relaxed) }
  }
}
