import CKernels
import StorageBase
import Synchronization

/// Rows that a commit has to write.
///
/// A changed row is *dirty*. Where a commit is asked for, the dirty rows are *fixed*: their state at
/// that moment is what the commit writes, though training goes on at once. They wait until no other
/// commit is under way, and then it is their turn. A fixed row that is about to change is copied first
/// (`markDirty`); all others are written from where they stand. What a commit writes stays in the
/// cache until it has ended, since the last commit knows only an older state of it.
///
/// A row's header says in which turn it last changed, of those between two requests for a commit. So
/// to fix rows costs the same whatever their number: those of the turn that ends wait beside those of
/// the turns before it, and where a row is in the list of several, the last one counts.
extension RowShard {
  /// Notes that a row is about to differ from the last commit. To be called before it changes.
  @inline(__always)
  mutating func markDirty(_ slot: Int) {
    let flags = header(slot).pointee.flags
    if flags.turn != dirty.number { markNewlyDirty(slot, flags) }
  }

  /// Whether `markDirty` will copy a row.
  @inline(__always)
  func isFixed(_ slot: Int) -> Bool {
    let turn = header(slot).pointee.flags.turn
    return turn != 0 && turn != dirty.number
  }

  private mutating func markNewlyDirty(_ slot: Int, _ flags: RowHeader.Flags) {
    let turn = flags.turn
    if turn == 0 {
      heldCount += 1
    } else {
      let isDeleted = !flags.isDisjoint(with: .unwritten)
      let (counts, floats) = (counts(slot), floats(slot))
      if waiting.contains(turn) {
        waitingCopies.add(slot, turn: turn, isDeleted: isDeleted, counts, floats: floats)
        waiting.unchangedCount -= 1
      } else {
        runningCopies.add(slot, turn: turn, isDeleted: isDeleted, counts, floats: floats)
        running.unchangedCount -= 1
      }
    }
    header(slot).pointee.flags.turn = dirty.number
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

  // MARK: Fixing

  /// Fixes the dirty rows for a commit. Rows that wait for one already become part of it, as they are
  /// now.
  mutating func fix() {
    context.budget.addDirty(
      -dirty.slots.count * layout.rowBytes, commitBytes: -commitBytes,
      listBytes: -dirty.slots.count * CacheLayout.listBytes)
    commitBytes = 0
    guard !dirty.slots.isEmpty else { return }
    // They have changed since, and are dirty.
    waitingCopies.removeAll()
    waiting.append(dirty)
    while waiting.areMany || freeTurn == nil { mergeTurns() }
    dirty = Turn(number: freeTurn.unsafelyUnwrapped)
  }

  /// A number that no turn has; nil where there is none.
  private var freeTurn: UInt8? { waiting.numbers.union(running.numbers).free }

  /// Makes one of two turns that wait, and of their lists one that has each row once.
  private mutating func mergeTurns() {
    let (first, second) = waiting.takeTwo()
    var merged = Turn(number: first.number)
    for turn in [first, second] {
      for (k, slot) in turn.slots.enumerated() {
        // Unsafe: asked for, not read.
        if k + 16 < turn.slots.count { ck_prefetch(header(Int(turn.slots[k + 16]))) }
        guard header(Int(slot)).pointee.flags.turn == turn.number else { continue }
        header(Int(slot)).pointee.flags.turn = first.number
        merged.slots.append(slot)
      }
    }
    waiting.putBack(merged)
  }

  /// Takes back what `fix` did, before the commit has begun: the rows are dirty again.
  mutating func unfix() {
    makeDirty(waiting)
    waiting.removeAll()
    waitingCopies.removeAll()
  }

  /// The rows that wait for a commit.
  var waitingCount: Int { waiting.unchangedCount + waitingCopies.count }

  // MARK: The commit under way

  /// Begins to commit the rows that wait. No commit may be under way.
  mutating func beginCommit() {
    precondition(
      running.isEmpty && runningCopies.isEmpty, "a commit of these rows is under way")
    swap(&running, &waiting)
    swap(&runningCopies, &waitingCopies)
  }

  /// The number of rows that the commit under way writes.
  var runningCount: Int { running.unchangedCount + runningCopies.count }

  /// Where the slabs stand, none of which goes before the commit has ended.
  var slabAddresses: [UnsafeRawPointer] { (0..<slabCount).map { UnsafeRawPointer(slabs[$0]) } }

  /// Describes some of the rows that the commit under way writes, from `place` on, which moves behind
  /// them; false where there are no more.
  @inline(__always)
  mutating func forEachRunning(
    from place: inout FixedTurns.Place, _ body: (ChangedRow) -> Void
  ) -> Bool {
    guard let (turn, range) = running.next(256, from: &place) else { return false }
    for k in range {
      // Unsafe: asked for, not read.
      if k + 8 < turn.slots.count { ck_prefetch(header(Int(turn.slots[k + 8]))) }
      let slot = turn.slots[k]
      let header = header(Int(slot)).pointee
      let state: (turn: UInt8, isDeleted: Bool, counts: RowCounts)
      if running.contains(header.flags.turn) {
        guard header.flags.turn == turn.number else { continue }
        state = (
          turn.number, !header.flags.isDisjoint(with: .unwritten), counts(Int(slot))
        )
      } else {
        state = runningCopies.state(Int(slot))
        guard state.turn == turn.number else { continue }
      }
      body(
        ChangedRow(
          hash: header.hash, row: header.row, frequency: state.counts.frequency, slot: slot,
          shard: UInt16(number), isDeleted: state.isDeleted))
    }
    return true
  }

  /// The floats and counts that the commit under way writes for a row.
  mutating func runningState(_ slot: Int) -> (floats: UnsafePointer<Float>, counts: RowCounts) {
    running.contains(header(slot).pointee.flags.turn)
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

  /// Takes the turn from a row that has not changed since; false where it has.
  @discardableResult
  private mutating func endHolding(_ slot: Int) -> Bool {
    guard running.contains(header(slot).pointee.flags.turn) else { return false }
    header(slot).pointee.flags.turn = 0
    heldCount -= 1
    running.unchangedCount -= 1
    return true
  }

  /// Ends the commit, all of whose rows were taken over.
  mutating func endCommit() {
    running.removeAll()
    runningCopies.removeAll()
  }

  /// Takes over that the commit failed: its rows are dirty, as they were.
  mutating func abandonCommit() {
    makeDirty(running)
    running.removeAll()
    runningCopies.removeAll()
  }

  /// Gives the commit up for the one that waits, which takes over its rows: what waits was fixed later,
  /// and of rows that both have, its state counts. To be called until it returns true, from the copy
  /// with number `next` on, which moves on.
  mutating func giveUpCommit(from next: inout Int) -> Bool {
    let end = min(next + 128, runningCopies.count)
    while next < end {
      let slot = runningCopies.slot(next)
      // Rows that have changed only since both were fixed.
      if header(slot).pointee.flags.turn == dirty.number, !waitingCopies.contains(slot) {
        waitingCopies.add(next, of: runningCopies)
      }
      next += 1
    }
    guard next == runningCopies.count else { return false }
    waiting.prepend(running)
    endCommit()
    return true
  }

  private mutating func makeDirty(_ rows: FixedTurns) {
    for turn in rows.turns {
      for (k, slot) in turn.slots.enumerated() {
        // Unsafe: asked for, not read.
        if k + 16 < turn.slots.count { ck_prefetch(header(Int(turn.slots[k + 16]))) }
        let slot = Int(slot)
        // Those that have changed since are dirty, or stand in a later list.
        guard header(slot).pointee.flags.turn == turn.number else { continue }
        header(slot).pointee.flags.turn = 0
        heldCount -= 1
        markDirty(slot)
      }
    }
  }
}
