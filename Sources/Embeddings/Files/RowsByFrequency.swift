import LMDB
import StorageBase

extension CommittedTable {
  /// Hands the rows to `body` by falling frequency, rows of equal frequency by row number.
  ///
  /// The order takes 8 bytes a row. The rows of a batch are read in the order of their numbers, so
  /// that each of their blocks is found and checked once.
  func forEachBatchByFrequency(
    ofAtMost batchSize: Int, _ body: (borrowing RowBatch) throws(EmbeddingError) -> Bool
  ) throws(EmbeddingError) {
    guard count > 0 else { return }
    let order = try RankOrder(of: self)
    var batch = RowBatch(idType: storage.idType, dimension: storage.layout.dimension)
    for start in stride(from: 0, to: count, by: batchSize) {
      batch.removeAll()
      let rows = (start..<min(start + batchSize, count)).map { UInt64(order.row(atRank: $0)) }
      try append(rows, to: &batch)
      guard try body(batch) else { return }
    }
  }

  /// Appends rows in any order, reading them in that of their blocks.
  private func append(_ rows: [UInt64], to batch: inout RowBatch) throws(EmbeddingError) {
    let layout = storage.layout
    let size = 4 * layout.dimension
    var keys = [UInt64](repeating: 0, count: rows.count)
    batch.vectors.append(contentsOf: repeatElement(0, count: rows.count * layout.dimension))
    batch.frequencies.append(contentsOf: repeatElement(0, count: rows.count))
    batch.lastSteps.append(contentsOf: repeatElement(0, count: rows.count))
    var block: BlockView?
    for i in rows.indices.sorted(by: { rows[$0] < rows[$1] }) {
      let place = layout.place(ofRow: rows[i])
      if block?.number != place.block {
        block = try storage.checkedBlock(place.block, in: view.transaction)
      }
      guard let block else { continue }
      keys[i] = block.key(place.index)
      batch.frequencies[i] = block.frequency(place.index)
      batch.lastSteps[i] = block.lastStep(place.index)
      // Unsafe: vectors stand at any address of the map.
      batch.vectors.withUnsafeMutableBytes {
        $0.baseAddress.unsafelyUnwrapped.advanced(by: i * size)
          .copyMemory(from: block.vector(place.index), byteCount: size)
      }
    }
    try storage.appendIDs(rows: rows, keys: keys, to: &batch.ids, in: view.transaction)
  }
}

extension EmbeddingStore {
  /// Hands the rows to `body` by falling frequency, for stores whose rows have no numbers. Holds
  /// all ids, and 16 bytes a row.
  func forEachBatchByFrequency(
    ofAtMost batchSize: Int, _ body: (borrowing RowBatch) throws(EmbeddingError) -> Bool
  ) throws(EmbeddingError) {
    var ids = IDColumn(type: configuration.idType)
    var frequencies: [UInt64] = []
    var lastSteps: [Int64] = []
    try forEachBatch(ofAtMost: batchSize, includingSlots: false) {
      (batch) throws(EmbeddingError) -> Bool in
      for i in 0..<batch.count { ids.append(batch.ids[i]) }
      frequencies.append(contentsOf: batch.frequencies)
      lastSteps.append(contentsOf: batch.lastSteps)
      return true
    }
    let order = frequencies.indices.sorted {
      frequencies[$0] == frequencies[$1] ? $0 < $1 : frequencies[$0] > frequencies[$1]
    }
    var batch = RowBatch(idType: configuration.idType, dimension: configuration.dimension)
    for start in stride(from: 0, to: order.count, by: batchSize) {
      batch.removeAll()
      for i in order[start..<min(start + batchSize, order.count)] {
        batch.ids.append(ids[i])
        batch.frequencies.append(frequencies[i])
        batch.lastSteps.append(lastSteps[i])
      }
      batch.vectors = try lookup(batch.ids)
      guard try body(batch) else { return }
    }
  }
}
