import LMDB
import StorageBase

/// The check of what one table keeps of its admission filter: record, partitions, journal.
struct FilterCheck {
  private let storage: TableStorage
  private let record: TableRecord

  init(_ storage: TableStorage, _ record: TableRecord) {
    self.storage = storage
    self.record = record
  }

  private func note(_ message: String, _ report: inout VerificationReport) {
    report.note(.filter, storage.name, message)
  }

  /// Walks all of it, and goes on after what is damaged.
  func run(in transaction: borrowing ReadTransaction, _ report: inout VerificationReport) {
    do throws(EmbeddingError) {
      try check(in: transaction, &report)
    } catch {
      note(error.message, &report)
    }
  }

  private func check(
    in transaction: borrowing ReadTransaction, _ report: inout VerificationReport
  ) throws(EmbeddingError) {
    guard let stored = try StoredFilter.record(in: transaction, tree: storage.state) else {
      let first = try transaction.withCursor(storage.state) {
        (cursor) throws(EmbeddingError) in
        try cursor.seek(atOrAfter: FilterFormat.partitionKeys.lowerBound)?.key
      }
      if let first, first <= FilterFormat.lastJournalKey {
        note("parts of an admission filter are there, but not its record", &report)
      }
      return
    }
    let configuration = record.configuration
    try AdmissionFilter.check(
      stored.format, configuration.admitsOnlySome ? configuration.effectiveAdmission : .none)
    if stored.lastRewrite > newest { note("its record is of a later commit", &report) }
    try checkPartitions(stored.format, in: transaction, &report)
    try checkJournal(stored.format, in: transaction, &report)
  }

  /// The number of the table's last commit, as a filter knows it.
  private var newest: UInt64 { record.history.generation + 1 }

  private func checkPartitions(
    _ format: FilterFormat, in transaction: borrowing ReadTransaction,
    _ report: inout VerificationReport
  ) throws(EmbeddingError) {
    var last: CountEntry?
    try transaction.withCursor(storage.state) { (cursor) throws(EmbeddingError) in
      var entry = try cursor.seek(atOrAfter: FilterFormat.partitionKeys.lowerBound)
      while let (key, value) = entry, FilterFormat.partitionKeys.contains(key) {
        do throws(EmbeddingError) {
          let partition = try read(value, key, format)
          if let first = partition.entries.first, let last, last.hash >= first.hash {
            throw corruptFilter("a partition has ids of another one")
          }
          last = partition.entries.last ?? last
        } catch {
          note("partition \(FilterFormat.place(ofKey: key)): \(error.message)", &report)
        }
        entry = try cursor.next()
      }
    }
  }

  /// A partition, with all that it says by itself checked.
  private func read(
    _ value: UnsafeRawBufferPointer, _ key: UInt64, _ format: FilterFormat
  ) throws(EmbeddingError) -> FilterPartition {
    let place = FilterFormat.place(ofKey: key)
    let blocks = format.isExact ? nil : format.blocks(at: place)
    guard format.isExact || blocks != nil else {
      throw corruptFilter("a partition is in a place where none belongs")
    }
    let partition = try FilterPartition(value, key: key, format: format, blocks: blocks)
    guard partition.sequence <= newest else {
      throw corruptFilter("a partition is of a later commit")
    }
    let stripe = FilterFormat.stripe(ofPlace: place)
    let isInside =
      (partition.entries.first.map { $0.place >= place } ?? true)
      && (partition.entries.last.map { FilterFormat.stripe(ofPlace: $0.place) == stripe } ?? true)
    guard isInside else { throw corruptFilter("a partition has ids of another one") }
    return partition
  }

  private func checkJournal(
    _ format: FilterFormat, in transaction: borrowing ReadTransaction,
    _ report: inout VerificationReport
  ) throws(EmbeddingError) {
    var last: UInt64 = 0
    try transaction.withCursor(storage.state) { (cursor) throws(EmbeddingError) in
      var entry = try cursor.seek(atOrAfter: FilterFormat.recordKey + 1)
      while let (key, value) = entry, key <= FilterFormat.lastJournalKey {
        do throws(EmbeddingError) {
          let journal = try JournalRecord(value, key: key, format: format)
          let places = try journal.entries().map(format.place)
          guard journal.first >= last || journal.last == last, journal.last <= newest,
            zip(places, places.dropFirst()).allSatisfy({ $0 <= $1 })
          else { throw corruptFilter("a record of its journal is out of order") }
          last = journal.last
        } catch {
          note("journal record \(key & 0xFF_FFFF_FFFF_FFFF): \(error.message)", &report)
        }
        entry = try cursor.next()
      }
    }
  }
}
