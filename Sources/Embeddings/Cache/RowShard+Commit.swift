import CKernels
import StorageBase
import Synchronization

/// Rows that a commit has to write.
///
/// A changed row is marked *dirty*. Where a commit is asked for, the dirty rows are *fixed*: their
/// state at that moment is what the commit writes, though training goes on at once. They wait until
/// no other commit is under way, and then it is their turn. A fixed row that is about to change is
/// copied first (`markDirty`); all others are written from where they stand. What a commit writes
/// stays in the cache until it has ended, since the last commit knows only an older state of it.
///
/// Of the three flags a row has at most one: to be dirty again, a fixed row is copied.
extension RowShard {
  /// Notes that a row is about to differ from the last commit. To be called before it changes.
  @inline(__always)
  mutating func markDirty(_ slot: Int) {
    let flags = header(slot).pointee.flags
    if !flags.contains(dirty.flag) { markNewlyDirty(slot, flags) }
  }

  /// Whether `markDirty` will copy a row.
  @inline(__always)
  func isFixed(_ slot: Int) -> Bool {
    let flags = header(slot).pointee.flags
    return !flags.isDisjoint(with: .held) && !flags.contains(dirty.flag)
  }

  private mutating func markNewlyDirty(_ slot: Int, _ flags: RowHeader.Flags) {
    if flags.isDisjoint(with: .held) {
      heldCount += 1
    } else {
      let isDeleted = !flags.isDisjoint(with: .unwritten)
      let (counts, floats) = (counts(slot), floats(slot))
      if flags.contains(waiting.flag) {
        waitingCopies.add(slot, isDeleted: isDeleted, counts, floats: floats)
      } else {
        runningCopies.add(slot, isDeleted: isDeleted, counts, floats: floats)
      }
    }
    header(slot).pointee.flags.subtract(.held)
    header(slot).pointee.flags.insert(dirty.flag)
    // Before the row itself changes: `RowCache.withRunningRow` reads without the lock.
    atomicMemoryFence(ordering: .releasing)
    dirty.slots.append(UInt32(slot))
    unreported.rows += 1
    unreported.commitBytes += CacheLayout.commitBytes
  }

  /// Whether there is something to report.
  @inline(__always)
  var hasUnreported: Bool {
    unreported.commitBytes != 0 || heldCount &+ probationCount != reportedHeldCount
  }

  /// Counts the rows that became dirty in the budget, and those that are held in the table: for all
  /// rows that a batch has here at once.
  mutating func report() {
    // Of rows that became dirty there may be copies, which the next one in this shard is to see.
    ck_fence_streams()
    context.counts.addHeld(heldCount + probationCount - reportedHeldCount)
    reportedHeldCount = heldCount + probationCount
    guard unreported.commitBytes != 0 else { return }
    context.budget.addDirty(
      unreported.rows * layout.rowBytes, commitBytes: unreported.commitBytes,
      listBytes: unreported.rows * CacheLayout.listBytes)
    commitBytes += unreported.commitBytes
    unreported = (0, 0)
  }

  /// Fixes the dirty rows for a commit. Rows that wait for one already become part of it, as they are
  /// now.
  mutating func fix() {
    context.budget.addDirty(
      -dirty.slots.count * layout.rowBytes, commitBytes: -commitBytes,
      listBytes: -dirty.slots.count * CacheLayout.listBytes)
    commitBytes = 0
    if waiting.slots.isEmpty { swap(&waiting, &dirty) } else { joinWaiting() }
  }

  /// Adds the dirty rows to those that wait: the others of these, often far more, are left alone.
  private mutating func joinWaiting() {
    // Rows that were copied stand in both lists.
    for k in 0..<waitingCopies.count {
      // Unsafe: asked for, not read.
      if k + 16 < waitingCopies.count { ck_prefetch(header(waitingCopies.slot(k + 16))) }
      fixAgain(waitingCopies.slot(k))
    }
    waitingCopies.removeAll()
    for (k, slot) in dirty.slots.enumerated() {
      if k + 16 < dirty.slots.count { ck_prefetch(header(Int(dirty.slots[k + 16]))) }
      guard header(Int(slot)).pointee.flags.contains(dirty.flag) else { continue }
      fixAgain(Int(slot))
      waiting.slots.append(slot)
    }
    dirty.slots.removeAll(keepingCapacity: true)
  }

  private func fixAgain(_ slot: Int) {
    header(slot).pointee.flags.remove(dirty.flag)
    header(slot).pointee.flags.insert(waiting.flag)
  }

  /// Takes back what `fix` did, before the commit has begun: the rows are dirty again.
  mutating func unfix() {
    makeDirty(waiting)
    waiting.slots = []
    waitingCopies.removeAll()
  }

  /// Begins to commit the rows that wait. No commit may be under way.
  mutating func beginCommit() {
    precondition(
      running.slots.isEmpty && runningCopies.isEmpty, "a commit of these rows is under way")
    swap(&running, &waiting)
    swap(&runningCopies, &waitingCopies)
  }

  /// The number of rows that the commit under way writes.
  var runningCount: Int { running.slots.count }

  /// The slots of those rows.
  var runningSlots: [UInt32] { running.slots }

  /// The flag that such a row has until it changes.
  var runningFlag: RowHeader.Flags { running.flag }

  /// Where the slabs stand, none of which goes before the commit has ended.
  var slabAddresses: [UnsafeRawPointer] { (0..<slabCount).map { UnsafeRawPointer(slabs[$0]) } }

  /// Describes some of the rows that the commit under way writes.
  @inline(__always)
  mutating func forEachRunning(_ range: Range<Int>, _ body: (Int, ChangedRow) -> Void) {
    for k in range {
      // Unsafe: asked for, not read.
      if k + 8 < running.slots.count { ck_prefetch(header(Int(running.slots[k + 8]))) }
      let slot = running.slots[k]
      let header = header(Int(slot)).pointee
      let state =
        header.flags.contains(running.flag)
        ? (isDeleted: !header.flags.isDisjoint(with: .unwritten), counts: counts(Int(slot)))
        : runningCopies.state(Int(slot))
      body(
        k,
        ChangedRow(
          hash: header.hash, row: header.row, frequency: state.counts.frequency, slot: slot,
          shard: UInt16(number), isDeleted: state.isDeleted))
    }
  }

  /// The floats and counts that the commit under way writes for a row.
  mutating func runningState(_ slot: Int) -> (floats: UnsafePointer<Float>, counts: RowCounts) {
    header(slot).pointee.flags.contains(running.flag)
      ? (UnsafePointer(floats(slot)), counts(slot))
      : (runningCopies.floats(slot), runningCopies.state(slot).counts)
  }

  /// Takes over, for one of the rows, that the commit is durable.
  ///
  /// - Parameter number: the number that a new row got; nil for another one.
  mutating func markCommitted(_ slot: Int, number: UInt64?) {
    endHolding(slot)
    if let number { renumber(slot, to: number) }
  }

  /// The same for a row that was deleted.
  mutating func markCommitted(deleted row: ChangedRow) {
    let slot = Int(row.slot)
    guard endHolding(slot), !isOnProbation(slot), remove(slot) else {
      return renumber(slot, to: RowHeader.noRow)
    }
  }

  /// Takes the flag from a row that has not changed since; false where it has.
  @discardableResult
  private mutating func endHolding(_ slot: Int) -> Bool {
    guard header(slot).pointee.flags.contains(running.flag) else { return false }
    header(slot).pointee.flags.remove(running.flag)
    heldCount -= 1
    return true
  }

  /// Ends the commit, all of whose rows were taken over.
  mutating func endCommit() {
    running.slots.removeAll(keepingCapacity: true)
    runningCopies.removeAll()
  }

  /// Takes over that the commit failed: its rows are dirty, as they were.
  mutating func abandonCommit() {
    makeDirty(running)
    running.slots = []
    runningCopies.removeAll()
  }

  /// The number of rows that wait for a commit.
  var waitingCount: Int { waiting.slots.count }

  /// How many rows of the commit under way have not changed since they were fixed.
  var unchangedRunningCount: Int {
    heldCount - dirty.slots.count - (waiting.slots.count - waitingCopies.count)
  }

  /// Has the commit that waits take over some rows of the one under way, which is given up. What waits
  /// was fixed later: of rows that it has, its state counts.
  mutating func joinRunning(_ range: Range<Int>) {
    for k in range {
      // Unsafe: asked for, not read.
      if k + 16 < running.slots.count { ck_prefetch(header(Int(running.slots[k + 16]))) }
      let slot = Int(running.slots[k])
      let flags = header(slot).pointee.flags
      if flags.contains(running.flag) {
        header(slot).pointee.flags.remove(running.flag)
        header(slot).pointee.flags.insert(waiting.flag)
      } else if flags.contains(waiting.flag) || waitingCopies.contains(slot) {
        continue
      } else {
        // It has changed only since both were fixed.
        let state = runningCopies.state(slot)
        waitingCopies.add(
          slot, isDeleted: state.isDeleted, state.counts, floats: runningCopies.floats(slot))
      }
      waiting.slots.append(UInt32(slot))
    }
  }

  private mutating func makeDirty(_ rows: DirtyRows) {
    for (k, slot) in rows.slots.enumerated() {
      // Unsafe: asked for, not read.
      if k + 16 < rows.slots.count { ck_prefetch(header(Int(rows.slots[k + 16]))) }
      let slot = Int(slot)
      // Those that were copied have changed since, and are dirty.
      guard header(slot).pointee.flags.contains(rows.flag) else { continue }
      header(slot).pointee.flags.remove(rows.flag)
      heldCount -= 1
      markDirty(slot)
    }
  }
}

/// Rows that a commit has to write: their flag, and their slots, each once, in the order in which
/// they changed; those too that have changed, and lost the flag, since they were fixed.
struct DirtyRows {
  let flag: RowHeader.Flags
  var slots: [UInt32] = []
}
