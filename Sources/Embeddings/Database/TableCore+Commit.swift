import StorageBase
import Synchronization

/// The turns that what changed in a table takes on its way into a commit: rows (RowShard+Commit.swift),
/// and what the admission filter has counted.
extension TableCore {
  /// Fixes the state of the table for a commit, in place of one that waits, while no batch is at work.
  func fix() -> CommitQueue.FixedTable {
    cache.fix()
    if let filter = admission?.loadedFilter {
      filter.unfix()
      filter.growIfNeeded()
      filter.fix()
    }
    let uncommitted = uncommittedRows.load(ordering: .relaxed)
    return CommitQueue.FixedTable(
      core: self, rows: uncommitted - rowsUnderWay.load(ordering: .relaxed),
      life: admission?.life(in: cache) ?? LifeCounts())
  }

  /// Takes that back, before the commit has begun.
  func unfix() {
    cache.unfix()
    admission?.loadedFilter?.unfix()
  }

  /// Begins to commit what was fixed.
  func beginCommit(_ fixedRows: Int) {
    rowsUnderWay.store(fixedRows, ordering: .relaxed)
    cache.beginCommit()
    admission?.loadedFilter?.beginCommit()
  }

  /// Gives the commit under way up for the one that waits, beside batches at work.
  func giveUpCommit() {
    rowsUnderWay.store(0, ordering: .relaxed)
    cache.giveUpCommit()
    admission?.loadedFilter?.giveUpCommit()
  }
}
