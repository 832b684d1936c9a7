import StorageBase
import Synchronization

/// The row numbers of Int64 ids, in memory: what saves a lookup the descent in the id tree.
///
/// A cache of bounded size: filled as lookups find rows in the tree and commits make new ones, so
/// that opening a database reads nothing. It holds no ids. An entry is a few bits of an id's hash
/// and a row number, and only the key that stands beside the row's vector says whether the row is
/// that of the id. **So no entry need be right**, and there are no locks: an entry that is stale (the
/// row moved, or its id was deleted), lost in a race of two writers, or another id's with the same
/// bits costs a look at a wrong row, after which the id goes down the tree. Rows with an id of
/// their own always have the key of that id, and only those: a committed block has no old keys but
/// zeros, so the id whose key is 0 is never looked up here (``RowNumbers/candidates(_:)``).
///
/// The memory starts small and grows eightfold as entries come, up to what the table's rows need or
/// the budget gives. Growth begins with an empty table, beside the old one until its last user is
/// done, so that nobody waits for it; the entries that it loses, an eighth of the new room at most,
/// come back at a descent each. Once many descents were made, it grows at once to what all
/// rows need, and is filled from the id tree in its order (``EmbeddingTable/noteDescents(_:)``).
final class RowNumberCache: Sendable {
  private struct State {
    var table: RowNumbers?
    /// A table that was given up to make room for a larger one, until its last user is done.
    weak var givenUp: RowNumbers?
    /// The entries that the next table is to have room for.
    var wanted = RowNumberCache.fewest
    var isGrowing = false
    /// Whether there is to be room for all rows at once, if the budget has it.
    var wantsAll = false
  }
  private let state = Mutex(State())
  private let budget: CacheBudget

  /// - Parameter budget: what the entries are counted in.
  init(budget: CacheBudget) { self.budget = budget }

  /// The entries, for the time of a batch; nil where there are none for now.
  ///
  /// - Parameters:
  ///   - rowCount: the rows of the last commit, none of which has a higher number.
  ///   - leaving: bytes of the budget that are to be left to others.
  func lease(rowCount: UInt64, leaving: Int) -> RowNumbers? {
    guard rowCount > 0 else { return nil }
    let (table, shape) = state.withLock { state -> (RowNumbers?, RowNumbers.Shape?) in
      let old = state.table
      let room = budget.lookupRoom - leaving
      let largest = RowNumbers.Shape(rowCount: rowCount, entries: Int(rowCount + rowCount / 2) + 16)
        .limited(toBytes: room + (old?.shape.bytes ?? 0))
      let wantsAll = state.wantsAll
      let shape =
        wantsAll
        ? largest : largest.limited(toEntries: old.map { 8 * $0.shape.entries } ?? state.wanted)
      let isOutgrown = old.map { $0.shape.rowBits < largest.rowBits } ?? false
      guard !state.isGrowing, state.givenUp == nil, shape.bucketCount > 0,
        isOutgrown
          || old.map({ shape.isGrowth(of: $0.shape, entries: wantsAll ? .max : $0.storedCount) })
            ?? true
      else { return (old, nil) }
      state.wanted = shape.entries
      if old != nil, isOutgrown || shape.bytes > room {
        // There is room only once the old one has gone.
        state.givenUp = old
        state.table = nil
        return (nil, nil)
      }
      state.isGrowing = true
      return (old, shape)
    }
    guard let shape else { return table }
    // Outside of the lock: other batches go on meanwhile.
    let new = RowNumbers(shape, budget: budget)
    return state.withLock { state in
      // Not where everything was forgotten meanwhile.
      if state.isGrowing, let new { state.table = new }
      state.isGrowing = false
      return state.table
    }
  }

  /// From the next lease on, there is to be room for all rows.
  func wantAll() { state.withLock { $0.wantsAll = true } }

  private static let fewest = 16 << 10

  /// The entries as they are, if there are any.
  var current: RowNumbers? { state.withLock { $0.table } }

  /// Forgets all, and gives the memory back once the batches at work have ended.
  func removeAll() { state.withLock { $0 = State() } }
}
