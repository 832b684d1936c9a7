import LMDB
import Snapshots
import StorageBase

/// The commits that changed a table, the newest of them, by generation: which state each led to.
struct CommitLog {
  /// One commit.
  ///
  ///     +------+---------+---------------+--------------+-----------+----------+
  ///     | step | batches | identity high | identity low | deletions | checksum |
  ///     | i64  | u64     | u64           | u64          | u64       | u64      |
  ///     +------+---------+---------------+--------------+-----------+----------+
  struct Entry: Sendable, Hashable {
    var generation: UInt64
    var point: CommitPoint
    var identity: SnapshotIdentity
    /// The deleted ids that are kept of this commit.
    var deletions: UInt64

    static let byteCount = 48
  }

  let storage: TableStorage

  /// Adds a commit, the newest.
  func append(
    _ entry: Entry, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    let key = StateRegion.commitLog.key(entry.generation)
    var writer = RecordWriter()
    writer.write(entry.point.step)
    writer.write(entry.point.batches)
    writer.write(entry.identity.high)
    writer.write(entry.identity.low)
    writer.write(entry.deletions)
    writer.write(writer.bytes.withUnsafeBytes { xxh3($0, seed: key) })
    try writer.bytes.withBytes { (bytes) throws(EmbeddingError) in
      try transaction.put(key, bytes, in: storage.state)
    }
  }

  /// The oldest commit that is kept.
  func first<T: ReadableTransaction & ~Copyable>(
    in transaction: borrowing T
  ) throws(EmbeddingError) -> Entry? {
    try transaction.withCursor(storage.state) { (cursor) throws(EmbeddingError) in
      try entry(try cursor.seek(atOrAfter: StateRegion.commitLog.key(0)))
    }
  }

  /// The commit of a generation.
  func commit<T: ReadableTransaction & ~Copyable>(
    _ generation: UInt64, in transaction: borrowing T
  ) throws(EmbeddingError) -> Entry? {
    let key = StateRegion.commitLog.key(generation)
    return try entry(try transaction.get(key, in: storage.state).map { (key, $0) })
  }

  /// The newest commit for which `isWanted` holds, looked for from the newest on.
  func last<T: ReadableTransaction & ~Copyable>(
    in transaction: borrowing T, where isWanted: (Entry) -> Bool
  ) throws(EmbeddingError) -> Entry? {
    try transaction.withCursor(storage.state) { (cursor) throws(EmbeddingError) in
      // The first key behind the log, and from there back.
      let behind = StateRegion.tombstones.key(0)
      var next =
        try cursor.seek(atOrAfter: behind) == nil ? try cursor.last() : try cursor.previous()
      while let found = try entry(next) {
        if isWanted(found) { return found }
        next = try cursor.previous()
      }
      return nil
    }
  }

  /// Calls `body` with every commit, the oldest first.
  func forEach<T: ReadableTransaction & ~Copyable>(
    in transaction: borrowing T, _ body: (Entry) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    try transaction.withCursor(storage.state) { (cursor) throws(EmbeddingError) in
      var next = try cursor.seek(atOrAfter: StateRegion.commitLog.key(0))
      while let found = try entry(next) {
        try body(found)
        next = try cursor.next()
      }
    }
  }

  /// Reads an entry of the tree; nil where it is of another region.
  private func entry(_ stored: Cursor.Entry?) throws(EmbeddingError) -> Entry? {
    guard let (key, value) = stored, let generation = StateRegion.commitLog.rest(ofKey: key)
    else { return nil }
    func word(_ index: Int) -> UInt64 {
      UInt64(littleEndian: value.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
    }
    guard value.count == Entry.byteCount,
      xxh3(UnsafeRawBufferPointer(rebasing: value.dropLast(8)), seed: key) == word(5)
    else {
      throw storage.corruption("the log entry of commit \(generation) is damaged")
    }
    return Entry(
      generation: generation,
      point: CommitPoint(step: Int64(bitPattern: word(0)), batches: word(1)),
      identity: SnapshotIdentity(high: word(2), low: word(3)), deletions: word(4))
  }
}
