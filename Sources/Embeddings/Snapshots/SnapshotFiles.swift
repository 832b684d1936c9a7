public import Snapshots
public import StorageBase

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Reads what a snapshot says of itself, without reading its rows.
///
///     let words = try database.table("words", inspectSnapshot("words.embsnap").configuration())
///     try words.importSnapshot("words.embsnap")
///
/// - Throws: ``EmbeddingError/Code/unsupportedFormat`` for what is not a snapshot, or one of
///   another version; ``EmbeddingError/Code/corruption``; ``EmbeddingError/Code/notFound``.
public func inspectSnapshot(_ path: String) throws(EmbeddingError) -> SnapshotDescription {
  try SnapshotReader(path: path, options: SnapshotReaderOptions(cacheBudget: 0)).readDescription()
}

/// Whether `path` is a regular file that begins as a snapshot does, of whatever version. Streams
/// are not looked at, which would take from them.
public func isSnapshot(_ path: String) -> Bool {
  var status = stat()
  guard path != "-", stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
    return false
  }
  return SnapshotReader.isSnapshot(path: path)
}

/// Reads a whole snapshot, and lists what is wrong with it: checksums, order of ids, counts,
/// filters. It goes on after what is wrong, as far as the file lets it.
public func verifySnapshot(_ path: String) -> SnapshotVerification {
  SnapshotReader.verify(path: path)
}

/// Writes the full snapshot that `base`, and then `deltas` in their order, come to.
///
/// Memory is that of a few blocks for each file. Nothing is written where a file does not follow
/// the one before it.
///
/// - Parameters:
///   - base: a full snapshot.
///   - deltas: what changed since, in order.
///   - path: the file to write; it appears whole or not at all.
/// - Throws: ``EmbeddingError/Code/configurationMismatch`` for a delta that applies to another
///   state or table, naming both; ``EmbeddingError/Code/invalidArgument``,
///   ``EmbeddingError/Code/corruption``.
@discardableResult
public func mergeSnapshots(
  _ base: String, _ deltas: [String], into path: String
) throws(EmbeddingError) -> SnapshotMergeReport {
  try SnapshotMerge.merge(base: base, deltas: deltas, into: path)
}
