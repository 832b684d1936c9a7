package import StorageBase

extension SnapshotReader {
  /// Calls `body` with all rows in key order, a block at a time, and the position of the first row
  /// of each batch. `threads` decode ahead (0: one a processor); `body` runs in this thread.
  /// Nothing of it goes through the cache.
  ///
  /// Vectors are as written, or, in a lossy encoding, near to it. Across blocks, too, ids are
  /// checked to be in order.
  package func forEachBatch(
    columns: SnapshotColumns = .all, threads: Int = 0,
    _ body: (_ rows: borrowing RowBatch, _ firstRow: UInt64) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    try scan(rows, columns, threads: threads) { (block) throws(EmbeddingError) in
      try body(block.rows, block.firstRow)
    }
  }

  /// Calls `body` with all deleted ids in key order, some at a time.
  package func forEachDeletion(
    threads: Int = 0, _ body: (borrowing IDColumn) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    try scan(deletions, .metadata, threads: threads) { (block) throws(EmbeddingError) in
      try body(block.rows.ids)
    }
  }

  private func scan(
    _ sequence: BlockSequence, _ columns: SnapshotColumns, threads: Int,
    _ body: (DecodedBlock) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    let threads = threads > 0 ? threads : ThreadGroup.processorCount
    let scan = BlockScan(self, sequence, columns, threads: threads)
    var last: EmbeddingID?
    try scan.run(threads: threads) { (block) throws(EmbeddingError) in
      let ids = block.rows.ids
      if let last, !IDKeys.precedes(last, ids[0]) {
        throw Place(path, 0, "row \(block.firstRow) of \(sequence.kind.noun)")
          .damaged("its id does not come after the one before it")
      }
      last = ids[ids.count - 1]
      try body(block)
    }
  }
}
