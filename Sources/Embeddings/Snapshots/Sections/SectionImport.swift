import LMDB
import Snapshots
import StorageBase

/// Takes the sections of a snapshot into a table whose ids have to earn their rows, within the write
/// transaction that its rows come in.
struct SectionImport {
  /// What came in.
  struct Taken {
    /// Where the table differs, so that the rows came in alone.
    var note: String?
    /// What became of ids; nil where the rows came in alone.
    var counts: LifeCounts?
    /// The record of the table of shared rows, where it changed.
    var shared: TableRecord?
  }

  let table: TableCore
  /// The table before the import.
  let record: TableRecord
  /// Its table of shared rows.
  let sharedRecord: TableRecord?
  let stamp: CommitStamp
  let limits: ImportLimits
  /// Whether the file is a delta, which replaces what it applies to.
  let isDelta: Bool
  let file: String
  /// Slots of the rows of the file.
  let slotCount: Int

  /// Reads to the end of the file.
  func run(
    _ sections: SectionReader, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> Taken {
    var taken = Taken()
    var life: SnapshotLife?
    while let kind = try sections.next() {
      switch kind {
      case .life:
        life = try sections.readRest(of: .life, atMost: 1 << 16).withBytes {
          (bytes) throws(EmbeddingError) in try SnapshotLife(bytes)
        }
        taken.note = try difference(life, in: transaction)
        taken.counts = taken.note == nil ? life?.counts : nil
      case .admission:
        if life == nil { throw damagedSection(kind, "it stands before section 'life'") }
        if taken.counts != nil { try takeFilter(sections, in: transaction) }
      case .shared:
        if life == nil { throw damagedSection(kind, "it stands before section 'life'") }
        if taken.counts != nil { taken.shared = try takeShared(sections, in: transaction) }
      }
    }
    if life == nil { taken.note = try difference(nil, in: transaction) }
    if isDelta, let note = taken.note {
      throw EmbeddingError(
        .configurationMismatch,
        "\(note), and a delta is taken whole; nothing was imported. Import the full snapshot.")
    }
    // Rows on probation are not in a snapshot.
    if let counts = taken.counts {
      taken.counts?.forgotten = counts.forgotten &+ counts.onProbation
      taken.counts?.onProbation = 0
    }
    return taken
  }

  /// What keeps filter, counts and shared rows from coming in; nil if nothing does.
  private func difference(
    _ life: SnapshotLife?, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> String? {
    let without = "its rows came in without admission filter and shared rows"
    guard let life else {
      return "\(file) is of a table in which every id gets a row, this one has "
        + "\(record.configuration.admission.summary), cutoff \(record.configuration.cutoff): \(without)"
    }
    if let difference = life.difference(from: record.configuration) {
      return "\(file) has \(difference): \(without)"
    }
    if isDelta { return nil }
    let stored = try StoredFilter.record(in: transaction, tree: table.storage.state)
    let isNew =
      stored == nil && record.rowCount == 0 && record.life == LifeCounts()
      && (sharedRecord?.rowCount ?? 0) == 0
    return isNew ? nil : "The table was trained before: of \(file), \(without)"
  }

  private func takeFilter(
    _ sections: SectionReader, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    try StoredFilter.remove(table.storage.state, in: transaction)
    var writer = AdmissionStateWriter(
      record.configuration.effectiveAdmission, generation: stamp.generation,
      tree: table.storage.state)
    while let head = try sections.read(4, of: .admission) {
      let count = head.withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(as: UInt32.self)) }
      guard (1...1 << 20).contains(count),
        let chunk = try sections.read(Int(count), of: .admission)
      else { throw damagedSection(.admission, "a chunk has a size that is not possible") }
      try chunk.withBytes { (chunk) throws(EmbeddingError) in
        try writer.write(chunk, in: transaction)
      }
    }
    try writer.finish(in: transaction)
  }

  /// Takes the shared rows in; returns the record of their table.
  private func takeShared(
    _ sections: SectionReader, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> TableRecord? {
    guard let shared = table.shared, let sharedRecord else { return nil }
    let dimension = shared.storage.layout.dimension
    let bytes = SharedRow.byteCount(dimension: dimension, slotCount: slotCount)
    let mostRow = Int64(clamping: record.configuration.sharedRows)
    var importer = try TableImport(
      table: shared, record: sharedRecord, stamp: stamp, options: ImportOptions(), limits: limits,
      in: transaction)
    var count: UInt64 = 0
    var last: Int64 = -1
    try importer.run(
      { (batch, limit) throws(EmbeddingError) -> Bool in
        while batch.count < limit, let row = try sections.read(bytes, of: .shared) {
          SharedRow.append(row, to: &batch)
          let id = Int64(
            bitPattern: row.withUnsafeBytes {
              UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self))
            })
          guard id > last, id < mostRow else {
            throw damagedSection(.shared, "its rows are out of order")
          }
          last = id
          count += 1
        }
        return batch.count > 0
      }, in: transaction)
    guard importer.rowCount == count else {
      throw EmbeddingError(
        .configurationMismatch,
        "\(file) does not have all \(importer.rowCount) shared rows of the table; nothing was "
          + "imported. Import the full snapshot into an empty table.")
    }
    return try importer.finish(identity: nil, in: transaction).1
  }
}

extension StoredFilter {
  /// Deletes whatever is stored of a filter, damaged or not.
  static func remove(
    _ tree: NamedDatabase, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    while true {
      let keys = try transaction.withCursor(tree) { (cursor) throws(EmbeddingError) -> [UInt64] in
        var keys: [UInt64] = []
        var entry = try cursor.seek(atOrAfter: FilterFormat.partitionKeys.lowerBound)
        while let (key, _) = entry, key <= FilterFormat.lastJournalKey, keys.count < 1 << 16 {
          keys.append(key)
          entry = try cursor.next()
        }
        return keys
      }
      if keys.isEmpty { return }
      for key in keys { try transaction.delete(key, in: tree) }
    }
  }
}
