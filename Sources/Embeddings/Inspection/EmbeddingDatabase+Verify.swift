import LMDB
public import StorageBase
import Synchronization

extension EmbeddingDatabase {
  /// Checks every byte of the last commit that this library stored, and reports all damage.
  ///
  /// In one commit, whatever is trained meanwhile: every record and every block against its
  /// checksum; that every row's key leads through the id tree back to exactly this row; that there
  /// are as many ids as rows, and that every byte-string id stands under its hash; that frequencies
  /// add up; that no block and no tree is left over; that what is kept for deltas agrees with the
  /// rows; that the parts of admission filters are whole and in order.
  ///
  /// That is enough for the ids. An entry of the id tree names one row, so entries that lead to
  /// different rows are different ones: if each of n rows is led to, there are n such entries, and
  /// if there are n entries in all, none is left that leads elsewhere.
  ///
  /// One pass over the database, in bounded memory; ids are looked up in sorted runs. What LMDB
  /// keeps for itself (page headers, branches, free pages) has no checksum: damage there shows
  /// where it makes something else unreadable, and a badly damaged page may end the process.
  ///
  /// - Parameter progress: told now and then.
  /// - Throws: where the check itself cannot run: ``EmbeddingError/Code/closed``,
  ///   ``EmbeddingError/Code/readersFull``, and ``EmbeddingError/Code/corruption`` where the record
  ///   of the database as a whole is damaged. All other damage is reported.
  public func verify(
    progress: ((VerificationProgress) -> Void)? = nil
  ) throws(EmbeddingError) -> VerificationReport {
    try checkOpen()
    var report = VerificationReport()
    // Trees are opened first: one opened after a transaction began cannot be read in it.
    let names = try tableNames
    var unopened: [String: EmbeddingError] = [:]
    for name in names {
      do throws(EmbeddingError) { _ = try table(name) } catch { unopened[name] = error }
    }
    try read { (view) throws(EmbeddingError) in
      let records = try checkRecords(view, unopened, &report)
      try checkTrees(view, records.numbers, &report)
      for record in records.tables {
        // One that was created meanwhile has no tree here yet; its record has been checked.
        guard let core = openTables.withLock({ $0[record.name] }) else { continue }
        report.tables += 1
        guard core.number == record.record.number else {
          report.note(
            .tree, record.name,
            "it was dropped and created anew since it was opened; open the database again")
          continue
        }
        var check = TableCheck(core.storage, record.record, progress)
        try check.run(in: view.transaction, &report)
      }
    }
    return report
  }

  /// Checks the records, and returns those of the tables that can be checked further, with the
  /// numbers of all tables (nil where one is not known).
  private func checkRecords(
    _ view: borrowing CommittedView, _ unopened: [String: EmbeddingError],
    _ report: inout VerificationReport
  ) throws(EmbeddingError) -> (tables: [(name: String, record: TableRecord)], numbers: [UInt32]?) {
    var tables: [(name: String, record: TableRecord)] = []
    var numbers: [UInt32]? = []
    try view.transaction.withCursor(meta) { (cursor) throws(EmbeddingError) in
      while let (key, value) = try cursor.nextBytes() {
        let key = String(decoding: key, as: UTF8.self)
        if key == DatabaseRecord.key { continue }
        if key.hasPrefix(EvictionRecord.prefix) {
          checkEvictions(value, key, view, &report)
          continue
        }
        guard key.hasPrefix(TableRecord.prefix) else {
          report.note(.record, nil, "record \(key) is of no kind known here")
          continue
        }
        let name = String(key.dropFirst(TableRecord.prefix.count))
        do throws(EmbeddingError) {
          let record = try TableRecord(value, name: name)
          if numbers?.contains(record.number) == true || record.number >= view.record.nextTable {
            report.note(.record, name, "its number, \(record.number), is not its own")
          }
          numbers?.append(record.number)
          if let error = unopened[name] {
            report.note(.tree, name, error.message)
          } else {
            tables.append((name, record))
          }
        } catch {
          report.note(.record, name, error.message)
          numbers = nil
        }
      }
    }
    return (tables, numbers)
  }

  private func checkEvictions(
    _ value: UnsafeRawBufferPointer, _ key: String, _ view: borrowing CommittedView,
    _ report: inout VerificationReport
  ) {
    let name = String(key.dropFirst(EvictionRecord.prefix.count))
    do throws(EmbeddingError) {
      // The number comes first: another than the table's would be one that nobody reads.
      var table = try view.tableRecord(name)
      if value.count >= 4, value.loadUnaligned(as: UInt32.self) != table.number {
        report.note(.record, name, "the record of its evictions is that of another table")
      }
      try EvictionRecord.decode(value, into: &table, name: name)
    } catch {
      report.note(.record, name, "the record of its evictions cannot be read: \(error.message)")
    }
  }

  /// Checks that every tree is one of a table. Without the numbers of all tables nobody can tell.
  private func checkTrees(
    _ view: borrowing CommittedView, _ numbers: [UInt32]?, _ report: inout VerificationReport
  ) throws(EmbeddingError) {
    guard let numbers else { return }
    var known: Set<String> = [meta.name]
    for number in numbers {
      known.insert(TableTrees.idsName(number))
      known.insert(TableTrees.blocksName(number))
      known.insert(TableTrees.stateName(number))
    }
    for name in try view.transaction.databaseNames() where !known.contains(name) {
      report.note(.orphanTree, nil, "tree \(name) belongs to no table")
    }
  }
}
