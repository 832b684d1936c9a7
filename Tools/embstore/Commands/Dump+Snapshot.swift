import Embeddings

extension Dump {
  /// Prints the rows of a snapshot, whose numbers are their places in the order of the ids.
  func print(
    _ store: SnapshotStore, _ printer: inout RowPrinter
  ) throws(EmbeddingError) {
    let count = min(limit ?? .max, try store.count)
    guard count > 0 else { return }
    switch sort {
    case .row:
      var row = 0
      try store.forEachBatch(ofAtMost: 1024, includingSlots: false) {
        (batch) throws(EmbeddingError) -> Bool in
        for i in 0..<min(batch.count, count - row) {
          try printer.add(batch, i, row: row)
          row += 1
        }
        return row < count
      }
    case .frequency: try printByFrequency(store, count, &printer)
    }
  }

  /// One pass for the frequencies and ids, and then the vectors by id.
  private func printByFrequency(
    _ store: SnapshotStore, _ count: Int, _ printer: inout RowPrinter
  ) throws(EmbeddingError) {
    var ids = IDColumn(type: store.configuration.idType)
    var frequencies: [UInt64] = []
    var lastSteps: [Int64] = []
    try store.forEachBatch(ofAtMost: 4096, includingSlots: false) {
      (batch) throws(EmbeddingError) -> Bool in
      for i in 0..<batch.count { ids.append(batch.ids[i]) }
      frequencies += batch.frequencies
      lastSteps += batch.lastSteps
      return true
    }
    let order = frequencies.indices.sorted {
      frequencies[$0] == frequencies[$1] ? $0 < $1 : frequencies[$0] > frequencies[$1]
    }.prefix(count)
    for start in stride(from: 0, to: count, by: 1024) {
      let rows = order[start..<min(start + 1024, count)]
      var batch = RowBatch(
        idType: store.configuration.idType, dimension: store.configuration.dimension)
      for row in rows { batch.ids.append(ids[row]) }
      batch.frequencies = rows.map { frequencies[$0] }
      batch.lastSteps = rows.map { lastSteps[$0] }
      batch.vectors = try store.lookup(batch.ids)
      for (i, row) in rows.enumerated() { try printer.add(batch, i, row: row) }
    }
  }
}
