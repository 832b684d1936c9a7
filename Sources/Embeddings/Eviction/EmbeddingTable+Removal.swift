import LMDB
import StorageBase
import Synchronization

extension EmbeddingTable {
  /// Removes rows, in one transaction: all or nothing. What was trained before is committed first,
  /// so that nothing of it is lost and row numbers are those of the last commit.
  ///
  /// - Parameter choose: puts the numbers of the rows to remove into the set; may be called twice.
  func removeRows<R>(
    limits: RowRemoval.Limits = RowRemoval.Limits(),
    choose: (
      borrowing WriteTransaction, inout TableRecord, inout RowSet
    ) throws(EmbeddingError) -> R
  ) throws(EmbeddingError) -> R {
    try database.checkWritable("remove rows")
    return try database.alone { () throws(EmbeddingError) in
      try database.commitAlone(as: database.state.withLock { $0.live })
      let ((result, numbers), record) = try database.writeTable(core) {
        (transaction, before, stamp) throws(EmbeddingError) in
        var record = before
        var rows = RowSet(rowCount: record.rowCount)
        let result = try choose(transaction, &record, &rows)
        let removal = RowRemoval(rows, from: storage, limits: limits)
        var recorder = ChangeRecorder(storage, before, stamp)
        try removal.run(&record, &recorder, in: transaction)
        try recorder.finish(&record, in: transaction)
        return ((result, removal.numbers), record)
      }
      core.takeOver(record, numbers)
      return result
    }
  }
}
