import StorageBase

/// How a snapshot is written. The bytes of the file do not depend on it.
package struct SnapshotWriterOptions: Sendable {
  /// Threads that compress, beside the one that calls; 0 stands for one a processor.
  package var threads: Int

  package init(threads: Int = 0) { self.threads = threads }

  var threadCount: Int { threads > 0 ? threads : ThreadGroup.processorCount }
}

/// What was written.
public struct SnapshotSummary: Sendable, Hashable {
  /// Rows in the file.
  public var rowCount: UInt64
  /// Deletions in the file, which only a delta has.
  public var deletionCount: UInt64
  /// Bytes of the file.
  public var byteCount: UInt64
  /// The checksum of the footer, and by way of it of the whole file.
  public var checksum: UInt64
}
