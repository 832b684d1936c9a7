import StorageBase
import Synchronization

extension TableCore {
  /// Takes over that rows were removed, in a transaction that is durable now. No batch is at work,
  /// and nothing in the cache waits for a commit. Cached rows that are left stay there.
  func takeOver(_ record: TableRecord, _ numbers: Renumbering) {
    for shard in cache.shards { shard.withRows { $0.renumber(numbers) } }
    takeOver(record)
  }

  /// Takes over what a transaction made of the table, beside its cached rows.
  func takeOver(_ record: TableRecord) {
    cache.counts.setRows(record.rowCount)
    locations.removeAll()
    state.withLock { $0.record = record }
    sampler.invalidate()
  }
}

extension RowShard {
  /// Forgets the rows that were removed, and gives those that moved their new numbers.
  mutating func renumber(_ numbers: Renumbering) {
    for slot in 0..<slabCount << layout.rowsPerSlabShift {
      let header = header(slot).pointee
      guard header.flags.contains(.occupied), header.row != RowHeader.noRow else { continue }
      if let number = numbers.number(of: header.row) {
        if number != header.row { renumber(slot, to: number) }
      } else {
        remove(slot)
      }
    }
  }

  /// Replaces the frequency of every cached row.
  mutating func mapFrequencies(_ transform: (UInt64) -> UInt64) {
    for slot in 0..<slabCount << layout.rowsPerSlabShift
    where header(slot).pointee.flags.contains(.occupied) {
      var counts = counts(slot)
      counts.frequency = transform(counts.frequency)
      setCounts(slot, counts)
    }
  }
}
