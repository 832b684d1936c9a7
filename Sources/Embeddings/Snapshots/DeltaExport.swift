import LMDB
import Snapshots
import StorageBase

/// One export of what changed in a table, on its way.
///
/// Changed rows and deleted ids come in the order of blocks and commits, and go out in that of the
/// ids. They are sorted a slice of the keys at a time, so that memory does not grow with their
/// number; each slice means one more look at the keys of the blocks that changed.
struct DeltaExport {
  let path: String
  let description: SnapshotDescription
  let threads: Int
  /// Rows of later generations are written.
  let generation: UInt64
  let progress: ((FileProgress) -> Void)?
  /// Rows, or deleted ids, that are sorted at a time, about.
  var sliceRows = 1 << 20

  /// Writes the delta. The writer's threads have ended when this returns or throws.
  func write(_ table: borrowing CommittedTable) throws(EmbeddingError) -> SnapshotSummary {
    var slices = KeySlices()
    let storage = table.storage
    let blocks = try CommittedBlocks(table, changedAfter: generation) { block, rows in
      for index in 0..<rows where block.generation(index) > generation {
        slices.add(storage.treeKey(block.key(index)))
      }
    }
    let writer = try SnapshotWriter(
      path: path, description: description, options: SnapshotWriterOptions(threads: threads))
    try writeRows(slices, table, blocks, writer)
    try writeDeletions(table, writer)
    try SectionExport().write(table, to: writer)
    return try writer.finish()
  }

  // MARK: Rows

  private func writeRows(
    _ slices: KeySlices, _ table: borrowing CommittedTable, _ blocks: CommittedBlocks,
    _ writer: SnapshotWriter
  ) throws(EmbeddingError) {
    guard slices.count > 0 else { return }
    let storage = table.storage
    let limit =
      writer.rowsPerBlock * max(1, SnapshotExport.runRows / writer.rowsPerBlock)
    var run = SnapshotRun(storage, blocks)
    var written = 0
    func flush() throws(EmbeddingError) {
      guard run.count > 0 else { return }
      let full = run
      try writer.append(count: full.count) {
        (range, rows) throws(EmbeddingError) in try full.gather(range, into: &rows)
      }
      written += full.count
      run = SnapshotRun(storage, blocks)
      progress?(FileProgress(rows: written, totalRows: slices.count))
    }
    for range in slices.ranges(ofAbout: sliceRows) {
      let (order, rows) = try changedRows(range, table)
      var start = 0
      while start < order.count {
        var end = start + 1
        while end < order.count, order[end].key == order[start].key { end += 1 }
        try addRows(order[start..<end], rows, table, run)
        if run.count >= limit { try flush() }
        start = end
      }
    }
    try flush()
    guard written == slices.count else {
      throw storage.corruption("\(written) of \(slices.count) changed rows have an id")
    }
  }

  /// The changed rows with keys in a range, in the order of their keys.
  private func changedRows(
    _ range: ClosedRange<UInt64>, _ table: borrowing CommittedTable
  ) throws(EmbeddingError) -> (order: [KeyedIndex], rows: [UInt64]) {
    var order: [KeyedIndex] = []
    var rows: [UInt64] = []
    let storage = table.storage
    try table.forEachBlock(changedAfter: generation) { (block, count) throws(EmbeddingError) in
      let first = block.number * UInt64(storage.layout.rowsPerBlock)
      for index in 0..<count where block.generation(index) > generation {
        let key = storage.treeKey(block.key(index))
        guard range.contains(key) else { continue }
        order.append(KeyedIndex(key: key, index: UInt32(rows.count)))
        rows.append(first + UInt64(index))
      }
    }
    radixSort(&order)
    return (order, rows)
  }

  /// Adds the changed rows of one key to a run: one, but where byte strings have the same hash.
  private func addRows(
    _ order: ArraySlice<KeyedIndex>, _ rows: [UInt64], _ table: borrowing CommittedTable,
    _ run: SnapshotRun
  ) throws(EmbeddingError) {
    let storage = table.storage
    guard storage.idType == .bytes else {
      for element in order { run.add(element.key, rows[Int(element.index)], nil) }
      return
    }
    guard let key = order.first?.key,
      let value = try table.view.transaction.get(key, in: storage.ids)
    else { throw storage.corruption("the id of a changed row is missing") }
    let wanted = Set(order.map { rows[Int($0.index)] })
    let entries = IDEntries(value: value).filter { wanted.contains($0.row) }
    for entry in entries.sorted(by: { $0.bytes.lexicographicallyPrecedes($1.bytes) }) {
      run.add(key, entry.row, entry.bytes)
    }
  }

  // MARK: Deletions

  private func writeDeletions(
    _ table: borrowing CommittedTable, _ writer: SnapshotWriter
  ) throws(EmbeddingError) {
    let tombstones = Tombstones(storage: table.storage)
    var slices = KeySlices()
    try tombstones.forEach(after: generation, in: table.view.transaction) {
      (id, _) throws(EmbeddingError) in slices.add(id.treeKey)
    }
    guard slices.count > 0 else { return }
    var ids = IDColumn(type: table.storage.idType)
    for range in slices.ranges(ofAbout: sliceRows) {
      var order: [KeyedIndex] = []
      var bytes: [UnsafeRawBufferPointer] = []
      try tombstones.forEach(after: generation, in: table.view.transaction) {
        (id, _) throws(EmbeddingError) in
        guard range.contains(id.treeKey) else { return }
        order.append(KeyedIndex(key: id.treeKey, index: UInt32(bytes.count)))
        // Of the memory map, where they stand as long as the transaction lives.
        bytes.append(id.bytes)
      }
      radixSort(&order)
      var start = 0
      while start < order.count {
        var end = start + 1
        while end < order.count, order[end].key == order[start].key { end += 1 }
        try addDeletions(
          order[start].key, order[start..<end].map { bytes[Int($0.index)] }, table, &ids)
        if ids.count >= SnapshotExport.runRows || ids.bytes.count >= 1 << 22 {
          try writer.appendDeletions(ids)
          ids.removeAll()
        }
        start = end
      }
    }
    if !ids.isEmpty { try writer.appendDeletions(ids) }
  }

  /// Appends the deleted ids of one key that have no row now, each once.
  private func addDeletions(
    _ key: UInt64, _ deleted: [UnsafeRawBufferPointer], _ table: borrowing CommittedTable,
    _ ids: inout IDColumn
  ) throws(EmbeddingError) {
    let storage = table.storage
    let value = try storage.idValue(under: key, in: table.view.transaction)
    switch storage.idType {
    case .int64: if value == nil { ids.append(IDKeys.id(key)) }
    case .bytes:
      var last: UnsafeRawBufferPointer?
      for bytes in deleted.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
        defer { last = bytes }
        if let last, isEqual(last, bytes) { continue }
        if let value, IDEntries(value: value).row(of: bytes) != nil { continue }
        ids.append(bytes: bytes)
      }
    }
  }
}
