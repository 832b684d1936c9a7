import StorageBase
import Synchronization

extension TableCore {
  /// Takes over what a transaction that is durable now made of the table's rows. No batch is at work,
  /// and nothing in the cache waits for a commit. Cached rows that are left stay there, under their
  /// new numbers.
  func takeOver(_ record: TableRecord, _ numbers: Renumbering? = nil) {
    if let numbers { for shard in cache.shards { shard.withRows { $0.renumber(numbers) } } }
    cache.counts.setRows(record.rowCount)
    locations.removeAll()
    state.withLock { state in
      // Not the record as a whole: the optimizer may have been changed meanwhile.
      let configuration = state.record.configuration
      state.record = record
      state.record.configuration = configuration
    }
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

  /// Replaces the frequency of every cached row that the last commit has.
  mutating func mapFrequencies(_ transform: (UInt64) -> UInt64) {
    for slot in 0..<slabCount << layout.rowsPerSlabShift {
      let header = header(slot).pointee
      guard header.flags.contains(.occupied), header.row != RowHeader.noRow else { continue }
      var counts = counts(slot)
      counts.frequency = transform(counts.frequency)
      setCounts(slot, counts)
    }
  }
}
