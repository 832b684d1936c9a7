import LMDB
public import StorageBase
import Synchronization

extension EmbeddingTable {
  /// Empties the admission filter, durable at once: the way on when ``EmbeddingDatabase/verify(progress:)``
  /// or an update finds it damaged.
  ///
  /// Rows, shared rows and counts of what became of ids stay. Ids without a row are counted from
  /// nothing again, so that each is admitted later than it would have been. What was trained before is
  /// committed first.
  ///
  /// - Throws: ``EmbeddingError/Code/invalidArgument`` for a table in which every id gets a row.
  public func resetAdmissionFilter() throws(EmbeddingError) {
    try database.checkWritable("reset the admission filter")
    guard let admission = core.admission else {
      throw EmbeddingError(
        .invalidArgument,
        "Table \(name) has no admission filter: every id gets a row. There is nothing to reset.")
    }
    try database.alone { () throws(EmbeddingError) in
      // Before the commit, which a damaged one would keep from being written.
      admission.dropFilter()
      try database.commitAlone(as: database.state.withLock { $0.live })
      let (_, record) = try database.writeTable(core) {
        (transaction, before, stamp) throws(EmbeddingError) -> (Void, TableRecord) in
        var record = before
        try StoredFilter.remove(storage.state, in: transaction)
        var recorder = ChangeRecorder(storage, before, stamp)
        try recorder.finish(&record, in: transaction)
        return ((), record)
      }
      core.takeOver(record)
    }
  }
}
