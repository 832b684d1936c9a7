import LMDB
import Snapshots
import StorageBase
import Synchronization

/// Rows on their way from a source into a table, within one write transaction.
///
/// Three threads share the work: while one lays a batch out in blocks (``BlockAssembly``), the one
/// that called asks the source for the next batch, and a third writes the blocks of those before
/// (``BlockWriter``).
struct TableImport: ~Copyable {
  private let storage: TableStorage
  private let options: ImportOptions
  private let limits: ImportLimits
  private var record: TableRecord
  /// The rows that the table had before: those with a lower number are not from this import.
  private let countBefore: UInt64
  private var summary = ImportSummary()
  private let values: ImportedValues
  private let assembly: BlockAssembly
  private let writer: BlockWriter
  /// Whether ids of the import may be in the tree.
  private var hasStoredIDs = false
  private var frequencyChange: UInt64 = 0
  /// A bit for each row from before that was met, made when the first one is.
  private var met: [UInt64] = []

  init(
    table: TableCore, record: TableRecord, stamp: CommitStamp, options: ImportOptions,
    limits: ImportLimits, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    storage = table.storage
    self.options = options
    self.limits = limits
    self.record = record
    countBefore = record.rowCount
    writer = BlockWriter(
      storage: table.storage, limits: limits, record: record,
      recorder: ChangeRecorder(table.storage, record, stamp))
    values = ImportedValues(
      initialSlots: table.state.withLock { $0.initialSlots }, step: options.step,
      generation: stamp.generation)
    assembly = BlockAssembly(
      storage: storage, values: values, limits: limits, rowCount: record.rowCount)
    hasStoredIDs = try transaction.statistics(of: storage.ids).entries > 0
    let end = storage.layout.place(ofRow: record.rowCount)
    if end.index > 0 {
      assembly.begin(with: try storage.checkedBlock(end.block, in: transaction))
    }
  }

  /// Takes in all rows of a source; ``finish(identity:in:)`` comes next.
  mutating func run(
    _ source: RowSource, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    var failure: EmbeddingError?
    let writer = writer
    writer.run(in: transaction) {
      do throws(EmbeddingError) {
        try takeIn(source, in: transaction)
        try finishRows(in: transaction)
      } catch { failure = error }
    }
    if let failure { throw failure }
  }

  /// Takes in all rows of a source, while the blocks that they make are written.
  private mutating func takeIn(
    _ source: RowSource, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    let limit = limits.batchRows(record.configuration)
    var current = RowBatch(
      idType: storage.idType, dimension: storage.layout.dimension,
      slotCount: storage.layout.slotCount)
    var next = current
    var hasMore = try source(&next, limit)
    while hasMore {
      swap(&current, &next)
      try current.checkColumns(
        against: record.configuration, table: "table \(storage.name)")
      // A source gives as many rows as it was asked for, or fewer; if not, they are taken in parts.
      var start = 0
      repeat {
        let end = min(start + limits.partRows, current.count)
        let isLast = end == current.count
        try add(current, start..<end, in: transaction) { () throws(EmbeddingError) in
          guard isLast else { return }
          next.removeAll()
          hasMore = try source(&next, limit)
        }
        start = end
      } while start < current.count
    }
    try handOver(in: transaction)
    assembly.finishTail()
    try handOver(in: transaction)
  }

  /// Takes in a part of a batch, and calls `meanwhile` while it is laid out.
  private mutating func add(
    _ batch: borrowing RowBatch, _ range: Range<Int>,
    in transaction: borrowing WriteTransaction, meanwhile: () throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    guard !range.isEmpty else { return try meanwhile() }
    // The transaction is this thread's while the writer has nothing to do.
    if assembly.ids.isFull {
      try enterIDs(in: transaction)
      hasStoredIDs = true
    }
    var replaced: [(row: UInt64, position: Int)] = []
    var unknown: [UInt32]?
    if hasStoredIDs {
      try writer.drain()
      unknown = try meetStoredRows(batch, range, &replaced, in: transaction)
    }
    try handOver(in: transaction)
    var assemblyFailure: EmbeddingError?
    var failure: EmbeddingError?
    let assembly = assembly
    func assemble() {
      do throws(EmbeddingError) {
        if range.lowerBound == 0 { try batch.checkFinite() }
        try assembly.add(batch, range, unknown: unknown)
      } catch { assemblyFailure = error }
    }
    func ask() { do throws(EmbeddingError) { try meanwhile() } catch { failure = error } }
    concurrently(assemble, ask)
    if let error = assemblyFailure ?? failure { throw error }
    if !replaced.isEmpty {
      try handOver(in: transaction)
      try writer.drain()
      try replace(replaced, from: batch, in: transaction)
    }
  }

  /// The rows of the table, once all of the import are in it.
  var rowCount: UInt64 { record.rowCount }

  // MARK: Rows from before

  /// Decides about the rows of a batch whose ids are in the tree. Returns the positions of the
  /// others.
  private mutating func meetStoredRows(
    _ batch: borrowing RowBatch, _ range: Range<Int>,
    _ replaced: inout [(row: UInt64, position: Int)], in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> [UInt32] {
    let (column, steps) = (batch.ids, batch.lastSteps)
    var rows = [UInt64?](repeating: nil, count: range.count)
    try column.batch.withUnsafeIDs { (ids) throws(EmbeddingError) in
      // In the order of the tree.
      var order: [KeyedIndex] = []
      order.reserveCapacity(range.count)
      for i in range {
        order.append(
          KeyedIndex(key: storage.treeKey(RowKey(ids, i).key), index: UInt32(i)))
      }
      radixSort(&order)
      _ = try storage.forEachRow(of: order, ids, in: transaction) { (i, row) in
        rows[i - range.lowerBound] = row
        return true
      }
    }
    var unknown: [UInt32] = []
    for i in range {
      if let row = rows[i - range.lowerBound] {
        try meet(
          row, i, id: { column[i] }, lastStep: steps.isEmpty ? options.step : steps[i], &replaced,
          in: transaction)
      } else {
        unknown.append(UInt32(i))
      }
    }
    return unknown
  }

  /// Decides about a row whose id is there already.
  private mutating func meet(
    _ row: UInt64, _ position: Int, id: () -> EmbeddingID, lastStep: Int64,
    _ replaced: inout [(row: UInt64, position: Int)], in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    guard row < countBefore else {
      summary.duplicates += 1
      return
    }
    if met.isEmpty { met = Array(repeating: 0, count: Int(countBefore + 63) / 64) }
    let (word, bit) = (Int(row / 64), UInt64(1) << (row % 64))
    guard met[word] & bit == 0 else {
      summary.duplicates += 1
      return
    }
    met[word] |= bit
    let isReplaced =
      switch options.existing {
      case .replace: true
      case .keep: false
      case .newer: try lastStep > self.lastStep(of: row, in: transaction)
      case .refuse: throw existingRow(id(), table: "table \(storage.name)")
      }
    if isReplaced {
      summary.replaced += 1
      replaced.append((row, position))
    } else {
      summary.kept += 1
    }
  }

  /// The last step of a row from before, which no earlier row of the import has replaced: so that
  /// its block stands in the tree with it as it was, whatever was appended there meanwhile.
  private func lastStep(
    of row: UInt64, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> Int64 {
    let place = storage.layout.place(ofRow: row)
    return try storage.checkedBlock(place.block, in: transaction).lastStep(place.index)
  }

  /// Replaces rows from before, block by block. All blocks but the one being filled are in the tree.
  private mutating func replace(
    _ replaced: [(row: UInt64, position: Int)], from batch: borrowing RowBatch,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    let layout = storage.layout
    let sorted = replaced.sorted { $0.row < $1.row }
    var buffer = BlockBuffer(layout: layout)
    try batch.withUnsafeRows { (rows) throws(EmbeddingError) in
      var k = 0
      while k < sorted.count {
        let number = layout.place(ofRow: sorted[k].row).block
        let isTail = assembly.tailNumber == number
        if !isTail { buffer.load(try storage.checkedBlock(number, in: transaction)) }
        while k < sorted.count, case let place = layout.place(ofRow: sorted[k].row),
          place.block == number
        {
          let position = sorted[k].position
          frequencyChange &+=
            isTail
            ? values.replace(&assembly.tail, place.index, rows, position)
            : values.replace(&buffer, place.index, rows, position)
          k += 1
        }
        if isTail { continue }
        writer.recorder.content.add(buffer.seal(number: number))
        try writer.replace(number, buffer.bytes, in: transaction)
      }
    }
  }

  // MARK: Writing

  /// Hands the blocks that are complete to the writer.
  private func handOver(in transaction: borrowing WriteTransaction) throws(EmbeddingError) {
    assembly.blocks = try writer.write(assembly.blocks, in: transaction)
  }

  /// Removes rows, once all of the import are in the table.
  mutating func remove(
    _ removal: RowRemoval, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    try removal.run(&record, &writer.recorder, in: transaction)
  }

  /// Enters the import in the table's history. Returns what was done and the table's new record.
  ///
  /// - Parameters:
  ///   - identity: of the state that a table without rows gets to, if it is known.
  ///   - isExact: whether this table gets to that state, with rows or without.
  mutating func finish(
    identity: SnapshotIdentity?, isExact: Bool = false,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> (ImportSummary, TableRecord) {
    if isExact || (countBefore == 0 && summary.duplicates == 0) {
      writer.recorder.identity = identity
    }
    try writer.recorder.finish(&record, in: transaction)
    return (summary, record)
  }

  /// Moves the new ids into the tree; their blocks are written while they are sorted.
  private func enterIDs(in transaction: borrowing WriteTransaction) throws(EmbeddingError) {
    let writer = writer
    try assembly.ids.enter(in: transaction) { () throws(EmbeddingError) in try writer.drain() }
  }

  /// Enters what is left of the ids, and counts.
  private mutating func finishRows(
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    try enterIDs(in: transaction)
    record.rowCount = assembly.rowCount
    record.totalFrequency &+= assembly.frequencyChange &+ frequencyChange
    writer.recorder.content.add(assembly.content)
    summary.inserted = assembly.inserted
    summary.duplicates += assembly.duplicates
  }
}
