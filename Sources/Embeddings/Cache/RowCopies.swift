import CKernels
import StorageBase

/// Copies of rows as a commit is to write them, of those that changed before it came to them.
///
/// Training makes them, and most are never looked for, since a later commit takes the place of theirs:
/// so the index is the business of whoever looks for the first one.
///
/// Unsafe: memory of its own for their floats, kept from commit to commit. All of it is its shard's,
/// under the shard's lock.
struct RowCopies: ~Copyable {
  private struct Copy {
    let slot: Int
    /// The turn in which the row had last changed.
    let turn: UInt8
    let isDeleted: Bool
    let counts: RowCounts
  }

  private let rowFloats: Int
  private let rowsPerChunk: Int
  private let budget: CacheBudget
  private var copies: [Copy] = []
  private var chunks: [CopyMemory.Chunk] = []
  /// The numbers of the first `indexedCount` copies by slot.
  private var index = RowIndex(bucketCount: 1)
  private var indexedCount = 0

  init(rowFloats: Int, budget: CacheBudget) {
    self.rowFloats = rowFloats
    self.budget = budget
    rowsPerChunk = max(1, CopyMemory.chunkBytes / max(4, 4 * rowFloats))
  }

  deinit {
    for chunk in chunks { budget.copies.giveBack(chunk) }
    index.free()
  }

  var isEmpty: Bool { copies.isEmpty }
  var count: Int { copies.count }

  /// The slot of a row that was copied.
  func slot(_ number: Int) -> Int { copies[number].slot }

  private func floats(ofCopy number: Int) -> UnsafeMutablePointer<Float> {
    let (chunk, place) = number.quotientAndRemainder(dividingBy: rowsPerChunk)
    return chunks[chunk].memory.assumingMemoryBound(to: Float.self) + place * rowFloats
  }

  /// Copies the row in `slot`, of which there is no copy yet.
  mutating func add(
    _ slot: Int, turn: UInt8, isDeleted: Bool, _ counts: RowCounts, floats: UnsafePointer<Float>
  ) {
    let number = copies.count
    if number == chunks.count * rowsPerChunk {
      chunks.append(budget.copies.take(atLeast: 4 * rowFloats, overflows: budget.overflowBytes > 0))
    }
    // Most are not read again, and the row itself is about to be.
    ck_stream(self.floats(ofCopy: number), floats, rowFloats)
    copies.append(Copy(slot: slot, turn: turn, isDeleted: isDeleted, counts: counts))
  }

  /// The number of the copy of the row that was in `slot`, or -1.
  private mutating func find(_ slot: Int) -> Int {
    if indexedCount < copies.count { indexRest() }
    return index.find(mix64(UInt64(slot))) { copies[$0].slot == slot }
  }

  private mutating func number(_ slot: Int) -> Int {
    let number = find(slot)
    precondition(number >= 0, "a row that changed was not copied")
    return number
  }

  /// Whether the row in `slot` was copied.
  mutating func contains(_ slot: Int) -> Bool { !isEmpty && find(slot) >= 0 }

  private mutating func indexRest() {
    if RowIndex.capacity(index.bucketCount) < copies.count {
      index.free()
      // Room for twice as many.
      index = RowIndex(bucketCount: copies.count / 5 + 1)
      indexedCount = 0
    }
    for number in indexedCount..<copies.count {
      index.enter(number, hash: mix64(UInt64(copies[number].slot)))
    }
    indexedCount = copies.count
  }

  /// The vector and slots of the row that was in `slot`.
  mutating func floats(_ slot: Int) -> UnsafePointer<Float> {
    UnsafePointer(floats(ofCopy: number(slot)))
  }

  /// What was true of that row, and the turn in which it had last changed.
  mutating func state(_ slot: Int) -> (turn: UInt8, isDeleted: Bool, counts: RowCounts) {
    let copy = copies[number(slot)]
    return (copy.turn, copy.isDeleted, copy.counts)
  }

  /// Copies one of the copies that `other` has.
  mutating func add(_ number: Int, of other: borrowing RowCopies) {
    let copy = other.copies[number]
    add(
      copy.slot, turn: copy.turn, isDeleted: copy.isDeleted, copy.counts,
      floats: other.floats(ofCopy: number))
  }

  /// Forgets the copies, but keeps memory for the next ones, unless it is much for the budget.
  mutating func removeAll() {
    guard !copies.isEmpty else { return }
    if budget.copies.ownBytes > budget.commitLimit / 8 {
      for chunk in chunks { budget.copies.giveBack(chunk) }
      chunks = []
    }
    copies.removeAll(keepingCapacity: true)
    guard indexedCount > 0 else { return }
    let bucketCount = index.bucketCount
    index.free()
    index = RowIndex(bucketCount: bucketCount)
    indexedCount = 0
  }
}
