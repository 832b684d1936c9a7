import LMDB
import StorageBase

extension AdmissionFilter {
  /// The committed state: empty where none was ever written; nil for kinds that keep none.
  convenience init?(
    load admission: Admission, from tree: NamedDatabase,
    in transaction: borrowing some ReadableTransaction & ~Copyable
  ) throws(EmbeddingError) {
    guard let record = try StoredFilter.record(in: transaction, tree: tree) else {
      self.init(admission, shapes: nil)
      return
    }
    try Self.check(record.format, admission)
    self.init(admission, shapes: record.format.shapes)
    committedLayers = layerCount
    let stored = StoredFilter(tree: tree, format: record.format)
    let sequences = try loadPartitions(stored, in: transaction)
    try stored.forEachRecord(in: transaction) { (record) throws(EmbeddingError) -> Bool in
      replay(try record.entries(), sequence: record.last, stored.format, sequences)
      return true
    }
  }

  /// Refuses a state that belongs to another kind of filter.
  static func check(_ format: FilterFormat, _ admission: Admission) throws(EmbeddingError) {
    let isOfTheKind =
      switch admission {
      case .none, .probabilistic: false
      case .counter(let threshold): format.isExact && format.maximum == threshold
      case .bloomFilter:
        !format.isExact && format.maximum == 1 && format.shapes.allSatisfy { $0.cellBits == 1 }
      case .countingBloomFilter(let threshold, _, _):
        !format.isExact && format.maximum == threshold
          && format.shapes.allSatisfy {
            $0.cellBits == LayerShape.cellBits(threshold: format.maximum)
          }
      }
    guard isOfTheKind else {
      throw corruptFilter("it is of another kind than \(admission)")
    }
  }

  /// Takes the partitions over; returns their first places and which commits they contain.
  private func loadPartitions(
    _ stored: StoredFilter, in transaction: borrowing some ReadableTransaction & ~Copyable
  ) throws(EmbeddingError) -> [(place: UInt64, sequence: UInt64)] {
    let format = stored.format
    var sequences: [(place: UInt64, sequence: UInt64)] = []
    try transaction.withCursor(stored.tree) { (cursor) throws(EmbeddingError) in
      var entry = try cursor.seek(atOrAfter: FilterFormat.partitionKeys.lowerBound)
      var lastHash: UInt64?
      while let (key, value) = entry, FilterFormat.partitionKeys.contains(key) {
        let place = FilterFormat.place(ofKey: key)
        let blocks = format.isExact ? nil : format.blocks(at: place)
        guard format.isExact || blocks != nil else {
          throw corruptFilter("a partition is in a place where none belongs")
        }
        let partition = try FilterPartition(value, key: key, format: format, blocks: blocks)
        if format.isExact {
          for entry in partition.entries {
            guard entry.place >= place, lastHash.map({ $0 < entry.hash }) ?? true else {
              throw corruptFilter("a partition has ids of another one")
            }
            lastHash = entry.hash
          }
        }
        take(partition, blocks)
        sequences.append((place, partition.sequence))
        entry = try cursor.next()
      }
    }
    return sequences
  }

  /// Takes a partition over that is not here yet.
  func take(_ partition: FilterPartition, _ blocks: FilterFormat.Blocks?) {
    if let blocks {
      let layer = layer(blocks.layer)
      partition.words.withUnsafeBytes {
        layer.block(blocks.stripe, blocks.first).copyMemory(
          from: $0.baseAddress!, byteCount: $0.count)
      }
      layer.counts(blocks.stripe).pointee += partition.counts
    } else {
      for entry in partition.entries { addExact(entry.count, to: entry.hash) }
    }
  }

  private func addExact(_ times: UInt32, to hash: UInt64) {
    let stripe = stripe(FilterStripe.number(hash))
    _ = stripe.pointee.table!.add(
      times, to: hash, maximum: maximum, counts: &stripe.pointee.counts)
  }

  /// Applies a record of the journal, entries by place, to the partitions that do not contain it.
  private func replay(
    _ entries: [JournalEntry], sequence: UInt64, _ format: FilterFormat,
    _ partitions: [(place: UInt64, sequence: UInt64)]
  ) {
    var next = 0
    for entry in entries {
      let place = format.place(entry)
      while next < partitions.count, partitions[next].place <= place { next += 1 }
      var contained: UInt64 = 0
      if next > 0 {
        let (start, last) = partitions[next - 1]
        let isInside =
          format.isExact
          ? FilterFormat.stripe(ofPlace: start) == FilterFormat.stripe(ofPlace: place)
          : place - start < format.blocksInPartition(at: start)
        if isInside { contained = last }
      }
      guard sequence > contained else { continue }
      if isExact {
        addExact(entry.times, to: entry.hash)
      } else {
        _ = layer(entry.layer).add(entry.layerTimes, to: entry.hash, maximum: maximum)
      }
    }
  }
}
