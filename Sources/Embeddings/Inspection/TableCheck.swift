import LMDB
import StorageBase

/// The check of one table in one commit.
struct TableCheck {
  /// Blocks' rows whose ids are looked up together, in sorted order.
  private static let runRows = 1 << 16

  private let storage: TableStorage
  private let record: TableRecord
  private let progress: ((VerificationProgress) -> Void)?
  /// Rows whose ids are still to be looked up.
  private var rows: [(treeKey: UInt64, row: UInt64)] = []
  private var totalFrequency: UInt64 = 0
  private var history: HistoryCheck
  private var readAhead = ReadAhead()
  private var isWhole = true

  init(
    _ storage: TableStorage, _ record: TableRecord,
    _ progress: ((VerificationProgress) -> Void)?
  ) {
    self.storage = storage
    self.record = record
    self.progress = progress
    history = HistoryCheck(storage, record)
  }

  /// Checks the table; damage is noted, and does not stop the check.
  mutating func run(
    in transaction: borrowing ReadTransaction, _ report: inout VerificationReport
  ) throws(EmbeddingError) {
    guard record.layout == storage.layout, record.configuration.idType == storage.idType else {
      return report.note(.record, storage.name, "its record has changed since it was opened")
    }
    let blockCount = storage.layout.blockCount(rows: record.rowCount)
    // A row takes more than a byte: a count beyond the file is not worth walking to.
    let blocks = try? transaction.statistics(of: storage.blocks)
    let end = min(blockCount, UInt64(blocks?.entries ?? 0) &+ 1_000)
    if end < blockCount {
      note(
        .count, "\(blockCount) blocks should be there; there are \(blocks?.entries ?? 0)", &report)
    }
    for number in 0..<end {
      check(block: number, in: transaction, &report)
      if rows.count >= Self.runRows || number + 1 == end {
        checkIDs(in: transaction, &report)
        let last = min((number + 1) * UInt64(storage.layout.rowsPerBlock), record.rowCount)
        progress?(
          VerificationProgress(
            table: storage.name, rows: Int(last), totalRows: Int(record.rowCount)))
      }
    }
    if isWhole && totalFrequency != record.totalFrequency {
      note(
        .count, "frequencies add up to \(totalFrequency) instead of \(record.totalFrequency)",
        &report)
    }
    walkBlocks(blockCount, in: transaction, &report)
    walkIDs(in: transaction, &report)
    history.run(in: transaction, &report)
    FilterCheck(storage, record).run(in: transaction, &report)
  }

  private func note(
    _ kind: VerificationReport.Problem.Kind, _ message: String, _ report: inout VerificationReport
  ) {
    report.note(kind, storage.name, message)
  }

  /// Checks a block, and takes its rows down for their ids.
  private mutating func check(
    block number: UInt64, in transaction: borrowing ReadTransaction,
    _ report: inout VerificationReport
  ) {
    let layout = storage.layout
    let block: BlockView
    do throws(EmbeddingError) {
      block = try storage.block(number, in: transaction)
    } catch {
      isWhole = false
      return note(.block, "block \(number) cannot be read: \(error.message)", &report)
    }
    readAhead.reach(block.bytes.baseAddress)
    let isIntact = block.isIntact
    if !isIntact {
      isWhole = false
      note(.block, "block \(number) does not match its checksum", &report)
    }
    let first = number * UInt64(layout.rowsPerBlock)
    let count = min(layout.rowsPerBlock, Int(record.rowCount - first))
    if isIntact { history.check(block, rows: count, in: transaction, &report) }
    report.blocks += 1
    report.rows += count
    for index in 0..<count {
      rows.append((storage.treeKey(block.key(index)), first + UInt64(index)))
      totalFrequency &+= block.frequency(index)
      if !block.isFinite(index) { report.nonFiniteRows += 1 }
    }
  }

  /// Checks that the keys of the rows taken down lead back to them.
  private mutating func checkIDs(
    in transaction: borrowing ReadTransaction, _ report: inout VerificationReport
  ) {
    rows.sort { $0.treeKey < $1.treeKey }
    for (treeKey, row) in rows {
      do throws(EmbeddingError) {
        if let problem = try problem(treeKey, row, in: transaction) {
          note(.missingID, "row \(row) \(problem)", &report)
        }
      } catch {
        note(.missingID, "the id of row \(row) cannot be read: \(error.message)", &report)
      }
    }
    rows.removeAll(keepingCapacity: true)
  }

  private func problem(
    _ treeKey: UInt64, _ row: UInt64, in transaction: borrowing ReadTransaction
  ) throws(EmbeddingError) -> String? {
    guard let value = try storage.idValue(under: treeKey, in: transaction) else {
      return "has a key that no id leads from"
    }
    switch storage.idType {
    case .int64:
      let found = storage.rowNumber(value)
      return found == row ? nil : "has a key that leads to row \(found)"
    case .bytes:
      let entries = IDEntries(value: value).filter { $0.row == row }
      if entries.count == 1, xxh3(entries[0].bytes) == treeKey { return nil }
      return entries.isEmpty
        ? "has a key that no id leads from" : "has \(entries.count) ids, or one of another key"
    }
  }

  /// Looks for blocks beyond the table's end, by the tree's order.
  private func walkBlocks(
    _ blockCount: UInt64, in transaction: borrowing ReadTransaction,
    _ report: inout VerificationReport
  ) {
    var count: UInt64 = 0
    var strays: [UInt64] = []
    do throws(EmbeddingError) {
      try transaction.withCursor(storage.blocks) { (cursor) throws(EmbeddingError) in
        while let (number, _) = try cursor.next() {
          count += 1
          if number >= blockCount { strays.append(number) }
        }
      }
    } catch {
      note(.tree, "the blocks cannot be walked: \(error.message)", &report)
    }
    for number in strays {
      note(.strayBlock, "block \(number) lies beyond the \(blockCount) of the table", &report)
    }
    if strays.isEmpty && count != blockCount {
      note(.count, "the tree holds \(count) blocks; the rows fill \(blockCount)", &report)
    }
  }

  /// Counts the ids, and checks each entry by itself.
  private func walkIDs(
    in transaction: borrowing ReadTransaction, _ report: inout VerificationReport
  ) {
    var count: UInt64 = 0
    do throws(EmbeddingError) {
      try transaction.withCursor(storage.ids) { (cursor) throws(EmbeddingError) in
        var readAhead = ReadAhead()
        var lastKey: UInt64?
        while let (treeKey, value) = try cursor.next() {
          readAhead.reach(value.baseAddress)
          switch storage.idType {
          case .int64: count += check(page: value, treeKey, &lastKey, &report)
          case .bytes: count += check(entries: IDEntries(value: value), treeKey, &report)
          }
        }
      }
    } catch {
      note(.tree, "the ids cannot be walked: \(error.message)", &report)
    }
    if count != record.rowCount {
      note(.count, "there are \(record.rowCount) rows and \(count) ids", &report)
    }
  }

  /// Checks a page of Int64 ids, and returns how many there are.
  ///
  /// - Parameter lastKey: the greatest key so far.
  private func check(
    page value: UnsafeRawBufferPointer, _ pageKey: UInt64, _ lastKey: inout UInt64?,
    _ report: inout VerificationReport
  ) -> UInt64 {
    func id(_ key: UInt64) -> Int64 { Int64(bitPattern: TableStorage.key(int64TreeKey: key)) }
    guard let page = IDPage(value) else {
      note(.strayID, "a page of ids has \(value.count) bytes, not 8 and 16 for each", &report)
      return 0
    }
    if !page.isIntact(under: pageKey) {
      note(.strayID, "the page of ids up to \(id(pageKey)) does not match its checksum", &report)
    }
    for index in 0..<page.count {
      let key = page.key(index)
      if key > pageKey || lastKey.map({ key <= $0 }) ?? false {
        note(.strayID, "id \(id(key)) stands where it is not looked for", &report)
      } else if storage.rowNumber(page.row(index)) >= record.rowCount {
        note(.strayID, "id \(id(key)) leads to no row", &report)
      }
      lastKey = key
    }
    lastKey = pageKey
    return UInt64(page.count)
  }

  /// Checks the byte-string ids under one hash, and returns how many there are.
  private func check(
    entries: IDEntries, _ treeKey: UInt64, _ report: inout VerificationReport
  ) -> UInt64 {
    var count: UInt64 = 0
    var size = 0
    for entry in entries {
      count += 1
      size += IDEntries.headerSize + entry.bytes.count
      if entry.row >= record.rowCount || xxh3(entry.bytes) != treeKey {
        note(
          .strayID,
          "id '\(String(decoding: entry.bytes.prefix(80), as: UTF8.self))' "
            + (entry.row >= record.rowCount
              ? "leads to no row" : "is stored under the hash of another"),
          &report)
      }
    }
    if size != entries.value.count {
      note(.strayID, "the entry of hash \(treeKey) ends within an id", &report)
    }
    return count
  }
}

extension BlockView {
  /// Whether a row's vector and slots are finite.
  fileprivate func isFinite(_ index: Int) -> Bool {
    func check(_ start: UnsafeRawPointer, _ count: Int) -> Bool {
      // Unsafe: floats stand at any address of the map. One whose exponent is all ones is none.
      var excess: UInt32 = 0
      for i in 0..<count {
        let bits = start.loadUnaligned(fromByteOffset: 4 * i, as: UInt32.self)
        excess |= (bits & 0x7f80_0000) &+ 0x0080_0000
      }
      return excess & 0x8000_0000 == 0
    }
    return check(vector(index), layout.dimension) && check(slots(index), layout.slotCount)
  }
}
