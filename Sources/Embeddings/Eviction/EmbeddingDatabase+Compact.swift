import LMDB
public import StorageBase

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// What a compaction gained.
public struct CompactionReport: Sendable, Hashable {
  /// Bytes of `data.mdb` before.
  public var bytesBefore: Int
  /// Bytes of it afterwards.
  public var bytesAfter: Int
}

extension EmbeddingDatabase {
  /// Rewrites the database at `path` without free pages, and gives their room back to the file
  /// system.
  ///
  /// The last commit is copied beside the database, synced, and takes its place at once: there must
  /// be room for both. A crash or a kill at any point leaves the old file or the new one, whole. The
  /// database must not be open anywhere, not to read either: a process that has it open would go on
  /// reading the old file, and one that opens it meanwhile waits for the exchange.
  ///
  /// - Throws: ``EmbeddingError/Code/environmentInUse`` where a process has it open;
  ///   ``EmbeddingError/Code/notFound``; ``EmbeddingError/Code/diskFull``;
  ///   ``EmbeddingError/Code/io``. The database is then as it was.
  @discardableResult
  public static func compact(
    at path: String, options: Options = Options()
  ) throws(EmbeddingError) -> CompactionReport {
    guard access(path + "/data.mdb", F_OK) == 0 else {
      throw EmbeddingError(.notFound, "There is no database at \(path).")
    }
    var options = options
    options.isReadOnly = false
    // It holds the right to write until it goes, at the end.
    let database = try EmbeddingDatabase(at: path, options: options)
    do throws(EmbeddingError) {
      let sizes = try database.environment.compactAndClose()
      try database.close()
      return CompactionReport(bytesBefore: sizes.before, bytesAfter: sizes.after)
    } catch {
      try? database.close()
      throw error
    }
  }
}
