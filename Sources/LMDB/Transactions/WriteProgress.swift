import CLMDB
import Glibc
import StorageBase

/// What a write transaction has met, for its end to act on.
///
/// `@unchecked Sendable`: used by one thread at a time, the one that writes.
package final class WriteProgress: @unchecked Sendable {
  /// The first failure after which LMDB refuses to commit; 0 for none.
  var failureCode: Int32 = 0
  /// Set once LMDB has freed the transaction.
  var isFinished = false
  /// The handles opened in this transaction, to be forgotten when it is undone.
  var opened: [UInt32] = []
  /// The databases to remove at its end.
  var dropped: [UInt32] = []

  /// The first failure as an error.
  var failure: EmbeddingError? {
    failureCode == 0 ? nil : lmdbError(failureCode, "writing")
  }

  /// Takes note of a write's result, and throws it where it is a failure.
  @inline(__always)
  func check(_ code: Int32, _ doing: @autoclosure () -> String) throws(EmbeddingError) {
    if code != MDB_SUCCESS { throw note(code, doing()) }
  }

  @inline(never)
  private func note(_ code: Int32, _ doing: String) -> EmbeddingError {
    // These leave the transaction as it was.
    let isHarmless =
      code == MDB_KEYEXIST || code == MDB_BAD_VALSIZE || code == MDB_NOTFOUND || code == EINVAL
    if failureCode == 0 && !isHarmless { failureCode = code }
    return lmdbError(code, doing)
  }
}
