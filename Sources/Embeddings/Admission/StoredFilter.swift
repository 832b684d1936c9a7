import LMDB
import StorageBase

/// A filter's state in a transaction: its partitions, each with what the journal adds to it.
struct StoredFilter {
  let tree: NamedDatabase
  let format: FilterFormat

  /// A stored partition, or one that is not stored yet since nothing was ever in it.
  struct Extent {
    let start: UInt64
    let end: UInt64
    /// In a Bloom filter.
    let blocks: FilterFormat.Blocks?
  }

  /// The record of a filter; nil where none was ever stored.
  static func record(
    in transaction: borrowing some ReadableTransaction & ~Copyable, tree: NamedDatabase
  ) throws(EmbeddingError) -> FilterRecord? {
    guard let stored = try transaction.get(FilterFormat.recordKey, in: tree) else { return nil }
    return try FilterRecord(stored)
  }

  /// The partitions from `start` on, of one stripe, until they have `bytes`.
  func extents(
    from start: UInt64, bytes: Int, in transaction: borrowing some ReadableTransaction & ~Copyable
  ) throws(EmbeddingError) -> [Extent] {
    let stripe = FilterFormat.stripe(ofPlace: start)
    let stripeEnd = FilterFormat.place(stripe: stripe + 1)
    var extents: [Extent] = []
    var place = start
    var sum = 0
    while place < stripeEnd, sum < bytes {
      if format.isExact {
        let (end, size) = try exactExtent(place, before: stripeEnd, in: transaction)
        extents.append(Extent(start: place, end: end, blocks: nil))
        place = end
        sum += size
      } else {
        guard let blocks = format.blocks(at: place) else {
          throw corruptFilter("its record contradicts itself")
        }
        let end = format.place(after: blocks)
        extents.append(Extent(start: place, end: end, blocks: blocks))
        place = end
        sum += blocks.count * format.shapes[blocks.layer].blockBytes
      }
    }
    return extents
  }

  private func exactExtent(
    _ start: UInt64, before stripeEnd: UInt64,
    in transaction: borrowing some ReadableTransaction & ~Copyable
  ) throws(EmbeddingError) -> (end: UInt64, size: Int) {
    let size = try transaction.get(FilterFormat.partitionKey(start), in: tree)?.count ?? 0
    let next = try transaction.withCursor(tree) { (cursor) throws(EmbeddingError) -> UInt64? in
      try cursor.seek(atOrAfter: FilterFormat.partitionKey(start) + 1)?.key
    }
    guard let next, next < FilterFormat.partitionKeys.upperBound else { return (stripeEnd, size) }
    return (min(FilterFormat.place(ofKey: next), stripeEnd), size)
  }

  /// Calls `body` with each record of the journal, in its order, until it returns false.
  func forEachRecord(
    in transaction: borrowing some ReadableTransaction & ~Copyable,
    _ body: (JournalRecord) throws(EmbeddingError) -> Bool
  ) throws(EmbeddingError) {
    try transaction.withCursor(tree) { (cursor) throws(EmbeddingError) in
      var entry = try cursor.seek(atOrAfter: FilterFormat.recordKey + 1)
      while let (key, value) = entry, key <= FilterFormat.lastJournalKey {
        guard try body(JournalRecord(value, key: key, format: format)) else { return }
        entry = try cursor.next()
      }
    }
  }

  /// Calls `body` with each of a run of partitions of one stripe, the journal applied to them;
  /// `body` may write.
  ///
  /// - Parameter unwritten: entries of the stripe that come behind the stored journal.
  func forEachPartition(
    _ extents: [Extent], unwritten: [JournalEntry] = [], sequence: UInt64 = .max,
    in transaction: borrowing some ReadableTransaction & ~Copyable,
    _ body: (Extent, FilterPartition) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    guard let first = extents.first, let last = extents.last else { return }
    let range = first.start..<last.end
    var gathered = GatheredEntries()
    try forEachRecord(in: transaction) { (record) throws(EmbeddingError) -> Bool in
      try record.append(range, to: &gathered)
      return true
    }
    for entry in unwritten {
      let place = format.place(entry)
      if range.contains(place) { gathered.append(entry, place: place, sequence: sequence) }
    }
    gathered.sort()
    var position = 0
    for extent in extents {
      var partition = try partition(extent, in: transaction)
      partition.apply(
        gathered.entries(below: extent.end, after: partition.sequence, from: &position),
        format: format, blocks: extent.blocks)
      try body(extent, partition)
    }
  }

  /// A partition as it is stored.
  private func partition(
    _ extent: Extent, in transaction: borrowing some ReadableTransaction & ~Copyable
  ) throws(EmbeddingError) -> FilterPartition {
    let key = FilterFormat.partitionKey(extent.start)
    guard let stored = try transaction.get(key, in: tree) else {
      return FilterPartition(format, extent.blocks)
    }
    let partition = try FilterPartition(stored, key: key, format: format, blocks: extent.blocks)
    guard
      format.isExact == false
        || (partition.entries.first.map { $0.place >= extent.start } ?? true
          && partition.entries.last.map { $0.place < extent.end } ?? true)
    else { throw corruptFilter("a partition has ids of another one") }
    return partition
  }
}
