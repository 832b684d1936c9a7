import LMDB
import StorageBase

/// Writes one commit of a filter: what changed goes to the journal, and the partitions are
/// rewritten one after the other, round and round, for each byte of the journal two. So the journal
/// has about half as many bytes as the partitions, and a commit writes about three times what
/// changed, never the whole filter unless that is less.
///
/// Changes nothing but the transaction.
struct FilterWriter {
  private let filter: AdmissionFilter
  private let tree: NamedDatabase
  private let sequence: UInt64
  private var record: FilterRecord
  private let stored: StoredFilter

  private static let bytesPerJournalByte: UInt64 = 2

  init(
    _ filter: AdmissionFilter, sequence: UInt64, in transaction: borrowing WriteTransaction,
    tree: NamedDatabase
  ) throws(EmbeddingError) {
    (self.filter, self.tree, self.sequence) = (filter, tree, sequence)
    let format = filter.format(layers: filter.runningLayers)
    record = try StoredFilter.record(in: transaction, tree: tree) ?? FilterRecord(format: format)
    record.format = format
    stored = StoredFilter(tree: tree, format: format)
  }

  mutating func write(in transaction: borrowing WriteTransaction) throws(EmbeddingError) {
    let count = (0..<FilterStripe.count).reduce(0) {
      $0 + filter.stripe($1).pointee.running.count
    }
    let bytes = UInt64(count * JournalEntry.stride)
    let whole =
      record.format.isExact ? record.entryBytes + bytes : UInt64(record.format.cellBytes)
    record.debt += bytes * Self.bytesPerJournalByte
    if count > 0, record.debt >= whole {
      try rewriteAll(in: transaction)
    } else {
      try writeJournal(in: transaction)
      let unit = max(2 * FilterFormat.partitionBytes, Int(whole / 1024))
      while record.debt >= unit {
        let written = try rewrite(bytes: unit, unwritten: [], in: transaction)
        record.debt -= min(record.debt, UInt64(written))
      }
    }
    try dropJournal(in: transaction)
    try put(FilterFormat.recordKey, record.encode(), in: transaction)
  }

  private func put(
    _ key: UInt64, _ bytes: [UInt8], in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    try bytes.withBytes { (bytes) throws(EmbeddingError) in
      try transaction.put(key, bytes, in: tree)
    }
  }

  // MARK: Partitions

  /// Rewrites every partition, and needs no journal.
  private mutating func rewriteAll(
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    record.next = 0
    for stripe in 0..<FilterStripe.count {
      _ = try rewrite(
        bytes: .max, unwritten: filter.stripe(stripe).pointee.running, in: transaction)
    }
    record.debt = 0
  }

  /// Rewrites some partitions of a stripe; returns their bytes.
  private mutating func rewrite(
    bytes: Int, unwritten: [JournalEntry], in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> Int {
    let extents = try stored.extents(from: record.next, bytes: bytes, in: transaction)
    var written = 0
    var change = 0
    try stored.forEachPartition(
      extents, unwritten: unwritten, sequence: sequence, in: transaction
    ) { (extent, partition) throws(EmbeddingError) in
      let old = try transaction.get(FilterFormat.partitionKey(extent.start), in: tree)
      change -= old.map { $0.count - FilterPartition.frameBytes } ?? 0
      var place = extent.start
      for var piece in partition.pieces(maximum: stored.format.maximum) {
        piece.sequence = sequence
        if place != extent.start { place = piece.entries[0].place }
        let key = FilterFormat.partitionKey(place)
        let encoded = piece.encode(key: key)
        try put(key, encoded, in: transaction)
        written += encoded.count
        change += encoded.count - FilterPartition.frameBytes
        place = extent.end
      }
    }
    if record.format.isExact { record.entryBytes = UInt64(max(0, Int(record.entryBytes) + change)) }
    let end = extents.last?.end ?? FilterFormat.endPlace
    record.next = end == FilterFormat.endPlace ? 0 : end
    record.lastRewrite = sequence
    return written
  }

  // MARK: Journal

  private func writeJournal(in transaction: borrowing WriteTransaction) throws(EmbeddingError) {
    var entries: [JournalEntry] = []
    var chunk: UInt64 = 0
    func put(_ most: Int) throws(EmbeddingError) {
      while entries.count >= most, !entries.isEmpty {
        let part = entries.prefix(JournalRecord.mostEntries)
        let key = FilterFormat.recordKey | sequence << 12 | chunk
        try self.put(
          key, JournalRecord.encode(part, first: sequence, last: sequence, key: key),
          in: transaction)
        entries.removeFirst(part.count)
        chunk += 1
      }
    }
    for stripe in 0..<FilterStripe.count {
      entries += sorted(filter.stripe(stripe).pointee.running)
      try put(JournalRecord.mostEntries)
    }
    if chunk == 0, try extendLastRecord(entries, in: transaction) { return }
    try put(1)
  }

  /// By place, keeping the order of equal places.
  private func sorted(_ entries: [JournalEntry]) -> [JournalEntry] {
    var keys = entries.indices.map {
      KeyedIndex(key: record.format.place(entries[$0]), index: UInt32($0))
    }
    radixSort(&keys)
    return keys.map { entries[Int($0.index)] }
  }

  /// Writes a small last record anew, with `entries`, unless a partition contains a part of it: so
  /// that many small commits do not leave as many records.
  private func extendLastRecord(
    _ entries: [JournalEntry], in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> Bool {
    let (format, tree, lastRewrite) = (record.format, tree, record.lastRewrite)
    let last = try transaction.withCursor(tree) {
      (cursor) throws(EmbeddingError) -> (key: UInt64, first: UInt64, entries: [JournalEntry])? in
      var entry = try cursor.seek(atOrAfter: FilterFormat.lastJournalKey + 1)
      entry = entry == nil ? try cursor.last() : try cursor.previous()
      guard let (key, value) = entry, key > FilterFormat.recordKey else { return nil }
      let record = try JournalRecord(value, key: key, format: format)
      guard record.first > lastRewrite, record.count + entries.count <= JournalRecord.smallEntries
      else { return nil }
      return (key, record.first, try record.entries())
    }
    guard let last else { return false }
    let joined = sorted(last.entries + entries)
    try put(
      last.key,
      JournalRecord.encode(joined[...], first: last.first, last: sequence, key: last.key),
      in: transaction)
    return true
  }

  /// Deletes what all partitions contain. Partitions of the first layer, or of an exact counter,
  /// are rewritten in turn, so none contains less than the next one; a later layer's in the same
  /// stripe follow it, and no record older than such a layer concerns it.
  private func dropJournal(in transaction: borrowing WriteTransaction) throws(EmbeddingError) {
    guard record.format.isExact || FilterFormat.isInFirstLayer(record.next) else { return }
    let key = FilterFormat.partitionKey(record.next)
    guard let value = try transaction.get(key, in: tree), value.count >= 8 else { return }
    let contained = value.loadUnaligned(as: UInt64.self)
    var keys: [UInt64] = []
    try stored.forEachRecord(in: transaction) { (record) throws(EmbeddingError) -> Bool in
      guard record.last <= contained else { return false }
      keys.append(record.key)
      return true
    }
    for key in keys { try transaction.delete(key, in: tree) }
  }
}

extension AdmissionFilter {
  /// The form of the state with `layers` layers.
  func format(layers: Int) -> FilterFormat {
    FilterFormat(
      isExact: isExact, maximum: maximum, shapes: (0..<layers).map { layer($0).shape })
  }

  /// Writes what the commit under way has to write. May be called again, where the transaction had
  /// to begin anew.
  ///
  /// - Parameter generation: the number of the commit, higher than any before.
  func write(
    generation: UInt64, in transaction: borrowing WriteTransaction, tree: NamedDatabase
  ) throws(EmbeddingError) {
    guard hasRunning else { return }
    var writer = try FilterWriter(
      self, sequence: generation + 1, in: transaction, tree: tree)
    try writer.write(in: transaction)
  }
}
