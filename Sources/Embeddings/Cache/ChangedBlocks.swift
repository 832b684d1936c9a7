import StorageBase
import Synchronization

/// Which blocks of a table the next commit has to write: a bit for each block of the last one.
///
/// Shards mark blocks side by side, so the bits are atomic. The set is emptied, and made to fit the
/// table, while the gate is closed.
final class ChangedBlocks: @unchecked Sendable {
  // Unchecked: the words are atomic; `words` and `capacity` change only while the gate is closed.
  private let layout: BlockLayout
  private var words: UnsafeMutablePointer<Atomic<UInt64>>
  private var capacity = 0

  init(layout: BlockLayout, rowCount: UInt64) {
    self.layout = layout
    words = .allocate(capacity: 1)
    reset(rowCount: rowCount)
  }

  deinit { words.deallocate() }

  /// Notes that the block of a row will be written; true if that is news.
  func mark(row: UInt64) -> Bool {
    let block = Int(layout.place(ofRow: row).block)
    precondition(block < capacity * 64, "row \(row) is beyond the last commit's rows")
    let bit: UInt64 = 1 << (block % 64)
    return words[block / 64].bitwiseOr(bit, ordering: .relaxed).oldValue & bit == 0
  }

  /// Empties the set, for a table of `rowCount` rows.
  func reset(rowCount: UInt64) {
    let needed = Int(layout.blockCount(rows: rowCount) + 63) / 64
    if needed > capacity || needed < capacity / 4 {
      words.deallocate()
      // Room to grow, so that a growing table does not move the set at every commit.
      capacity = needed + needed / 4
      words = .allocate(capacity: max(1, capacity))
    }
    removeAll()
  }

  /// Empties the set.
  func removeAll() {
    for i in 0..<capacity { (words + i).initialize(to: Atomic(0)) }
  }
}
