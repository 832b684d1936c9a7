import LMDB
public import StorageBase

extension EmbeddingDatabase {
  /// Copies the last commit, page by page, into the directory `path`, which is created.
  ///
  /// Training and reading go on meanwhile; what was not committed is not part of the copy. It
  /// appears whole and durable, or not at all, and is a database like any other. The reader that
  /// the copy takes keeps pages from being used again as long as it runs.
  ///
  /// - Throws: ``EmbeddingError/Code/alreadyExists`` where the directory holds a database;
  ///   ``EmbeddingError/Code/diskFull``; ``EmbeddingError/Code/io``.
  public func backup(to path: String) throws(EmbeddingError) {
    try checkOpen()
    try environment.copy(to: path, compacting: false)
  }

  /// Copies the last commit into the directory `path` without free pages: slower than
  /// ``backup(to:)``, and the smallest file that holds it.
  ///
  /// To put the copy in the place of the original, close the database in every process, and rename
  /// the directories; this library does not do it. LMDB opens `lock.mdb` and `data.mdb` one after
  /// the other, so that a process that opens the database in the middle of an exchange could meet
  /// the locks of one and the data of the other, and a process that has it open would go on reading
  /// the old file, unnoticed.
  ///
  /// - Throws: as ``backup(to:)``.
  public func compact(to path: String) throws(EmbeddingError) {
    try checkOpen()
    try environment.copy(to: path, compacting: true)
  }
}
