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
  /// The original stays as it is; ``compact(at:options:)`` puts such a copy in its place.
  ///
  /// - Throws: as ``backup(to:)``.
  public func compact(to path: String) throws(EmbeddingError) {
    try checkOpen()
    try environment.copy(to: path, compacting: true)
  }
}
