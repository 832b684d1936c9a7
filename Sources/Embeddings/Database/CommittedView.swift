import LMDB
public import StorageBase
import Synchronization

/// One commit of a database, whole and unchanging, whatever is trained and committed meanwhile.
///
/// Lent by ``EmbeddingDatabase/read(_:)``. As long as a view is open, LMDB cannot use the pages of
/// its commit again, and the file grows: keep views short.
public struct CommittedView: ~Copyable {
  let database: EmbeddingDatabase
  let transaction: ReadTransaction
  let record: DatabaseRecord

  /// The point of training that the commit stands for.
  public var point: CommitPoint { record.point }

  /// The number of commits up to this one: higher for every later one.
  public var generation: UInt64 { record.generation }

  /// The names of all tables, sorted.
  public func tableNames() throws(EmbeddingError) -> [String] {
    let prefix = Array(TableRecord.prefix.utf8)
    return try transaction.withCursor(database.meta) { (cursor) throws(EmbeddingError) in
      var names: [String] = []
      var entry = try prefix.withBytes { (prefix) throws(EmbeddingError) in
        try cursor.seek(atOrAfter: prefix)
      }
      while let (key, _) = entry, key.starts(with: prefix) {
        names.append(String(decoding: key.dropFirst(prefix.count), as: UTF8.self))
        entry = try cursor.nextBytes()
      }
      return names
    }
  }

  /// What a table is.
  public func configuration(of name: String) throws(EmbeddingError) -> TableConfiguration {
    try tableRecord(name).configuration
  }

  /// The number of rows of a table.
  public func count(of name: String) throws(EmbeddingError) -> Int {
    Int(try tableRecord(name).rowCount)
  }

  func tableRecord(_ name: String) throws(EmbeddingError) -> TableRecord {
    guard let record = try database.tableRecord(name, in: transaction) else {
      throw EmbeddingError(.notFound, "The database has no table named \(name).")
    }
    return record
  }

  /// Copies the committed vectors of `ids`, row-major `[n, dimension]`; ids without a row read their
  /// initial vectors, or shared rows.
  public func lookup(
    _ ids: borrowing IDBatch, in table: EmbeddingTable, into vectors: inout MutableSpan<Float>
  ) throws(EmbeddingError) {
    try table.check(ids, floats: vectors.count, of: "vectors")
    let output = vectors.withUnsafeMutableBufferPointer { $0.baseAddress }
    guard let output else { return }
    let dimension = table.storage.layout.dimension
    try ids.withUnsafeIDs { (ids) throws(EmbeddingError) in
      for i in 0..<ids.count {
        try copyVector(of: RowKey(ids, i), in: table, to: output + i * dimension)
      }
    }
  }

  private func copyVector(
    of key: RowKey, in table: EmbeddingTable, to target: UnsafeMutablePointer<Float>
  ) throws(EmbeddingError) {
    let storage = table.storage
    if let row = try storage.row(of: key, in: transaction) {
      let place = storage.layout.place(ofRow: row)
      try storage.block(place.block, in: transaction).copyVector(place.index, to: target)
    } else if let shared = table.shared, let admission = table.core.admission {
      try copyVector(
        of: RowKey(int64: admission.sharedRow(of: key.hash)), in: shared, to: target)
    } else {
      table.initialVector(target, key: key.key)
    }
  }

  /// Hands the rows of a table to `body`, batch by batch, in row order; see
  /// ``EmbeddingStore/forEachBatch(ofAtMost:includingSlots:_:)``. Every block read is checked
  /// against its checksum.
  public func forEachBatch(
    of table: EmbeddingTable, ofAtMost batchSize: Int = 4096, includingSlots: Bool = false,
    _ body: (borrowing RowBatch) throws(EmbeddingError) -> Bool
  ) throws(EmbeddingError) {
    let storage = table.storage
    let layout = storage.layout
    let count = try tableRecord(table.name).rowCount
    // Whole blocks where they fit; else parts of one.
    let rowsPerBatch = max(1, batchSize)
    let wholeBlocks = rowsPerBatch / layout.rowsPerBlock * layout.rowsPerBlock
    let step = UInt64(wholeBlocks > 0 ? wholeBlocks : rowsPerBatch)
    var batch = RowBatch(
      idType: storage.idType, dimension: layout.dimension,
      slotCount: includingSlots ? layout.slotCount : 0)
    var row: UInt64 = 0
    var readAhead = ReadAhead()
    while row < count {
      batch.removeAll()
      let next = row + min(step, count - row)
      try append(row..<next, of: storage, to: &batch, &readAhead)
      row = next
      guard try body(batch) else { return }
    }
  }

  private func append(
    _ range: Range<UInt64>, of storage: TableStorage, to batch: inout RowBatch,
    _ readAhead: inout ReadAhead
  ) throws(EmbeddingError) {
    let layout = storage.layout
    var rows: [UInt64] = []
    var keys: [UInt64] = []
    var row = range.lowerBound
    while row < range.upperBound {
      let (number, first) = layout.place(ofRow: row)
      let block = try storage.checkedBlock(number, in: transaction, &readAhead)
      let count = min(layout.rowsPerBlock - first, Int(range.upperBound - row))
      for index in first..<first + count {
        rows.append(row)
        row += 1
        keys.append(block.key(index))
        batch.frequencies.append(block.frequency(index))
        batch.lastSteps.append(block.lastStep(index))
      }
      batch.vectors.append(unaligned: block.vector(first), count: count * layout.dimension)
      if batch.slotCount > 0 {
        batch.slots.append(unaligned: block.slots(first), count: count * layout.slotCount)
      }
    }
    try storage.appendIDs(rows: rows, keys: keys, to: &batch.ids, in: transaction)
  }
}

extension EmbeddingDatabase {
  /// Lends the last commit to `body`.
  ///
  /// Train and look up live rows outside of it: where the memory map has to grow, a commit waits for
  /// views to close, and a live call would wait for the commit.
  ///
  ///     try database.read { view in
  ///       print("at", view.point)
  ///       try view.forEachBatch(of: words) { batch in ...; return true }
  ///     }
  public func read<R>(
    _ body: (borrowing CommittedView) throws(EmbeddingError) -> R
  ) throws(EmbeddingError) -> R {
    try body(try beginView())
  }

  /// The last commit, for as long as the view lives.
  func beginView() throws(EmbeddingError) -> CommittedView {
    while true {
      if let view = try viewOfOpenTrees() { return view }
      try openAllTrees()
    }
  }

  /// The last commit, or nil where trees of its tables are not open yet: a transaction knows those
  /// that were when it began, and a table is to be opened, and read, while the view lasts.
  private func viewOfOpenTrees() throws(EmbeddingError) -> CommittedView? {
    let view = try openView()
    let isComplete = state.withLock { $0.treesOpenedBelow >= view.record.nextTable }
    guard isComplete else { return nil }
    return view
  }

  private func openView() throws(EmbeddingError) -> CommittedView {
    try checkOpen()
    let transaction = try environment.beginRead()
    let record = try Self.readRecord(meta, in: transaction)
    return CommittedView(database: self, transaction: transaction, record: record)
  }

  private func openAllTrees() throws(EmbeddingError) {
    let (tables, end) = try allTables()
    // What is damaged is told to those who open or verify that table.
    for table in tables { _ = try? openTrees(of: table) }
    state.withLock { $0.treesOpenedBelow = max($0.treesOpenedBelow, end) }
  }

  /// The records of all tables, and the number that the next one gets. The view is gone when this
  /// returns: trees are opened under the right to write, for which no view may wait.
  private func allTables() throws(EmbeddingError) -> ([TableRecord], UInt32) {
    let view = try openView()
    var tables: [TableRecord] = []
    for name in try view.tableNames() {
      if let table = try? view.tableRecord(name) { tables.append(table) }
    }
    return (tables, view.record.nextTable)
  }
}

extension EmbeddingTable {
  /// Hands all rows of the last commit to `body`, batch by batch, in row order.
  public func forEachBatch(
    ofAtMost batchSize: Int, includingSlots: Bool,
    _ body: (borrowing RowBatch) throws(EmbeddingError) -> Bool
  ) throws(EmbeddingError) {
    try database.read { (view) throws(EmbeddingError) in
      try view.forEachBatch(
        of: self, ofAtMost: batchSize, includingSlots: includingSlots, body)
    }
  }
}

extension [Float] {
  /// Appends floats that stand at any address.
  mutating func append(unaligned source: UnsafeRawPointer, count: Int) {
    let start = self.count
    append(contentsOf: repeatElement(0, count: count))
    withUnsafeMutableBytes {
      $0.baseAddress.unsafelyUnwrapped.advanced(by: start * 4)
        .copyMemory(from: source, byteCount: count * 4)
    }
  }
}
