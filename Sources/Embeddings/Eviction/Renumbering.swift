/// Which number every row of a table has once some are removed: row numbers stay dense, as at a
/// commit (`TableCommit`).
///
/// The rows behind the table's new end move into the holes before it, in rising order. So the new
/// number of a row follows from the set of removed ones alone, and nothing need be kept of the moves.
struct Renumbering {
  let removed: RowSet
  private let ranks: RowSet.Ranks
  /// The rows that are left.
  let newCount: UInt64
  /// Removed rows before the new end: as many as rows that move.
  let moveCount: UInt64

  init(removing removed: RowSet) {
    self.removed = removed
    ranks = removed.ranks()
    newCount = removed.rowCount - UInt64(removed.count)
    moveCount = removed.rank(of: newCount, ranks)
  }

  /// The number that a row gets; nil for one that is removed.
  func number(of row: UInt64) -> UInt64? {
    if removed.contains(row) { return nil }
    guard row >= newCount else { return row }
    // Of the rows behind the end, so many stay that come before this one.
    let place = row - newCount - (removed.rank(of: row, ranks) - moveCount)
    return removed.member(place, ranks)
  }

  /// The `n`-th of the removed rows.
  func removedRow(_ n: UInt64) -> UInt64 { removed.member(n, ranks) }

  /// Whether the row stays, and keeps its number.
  func isUnaffected(_ row: UInt64) -> Bool { row < newCount && !removed.contains(row) }
}
