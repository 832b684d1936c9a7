import LMDB
public import StorageBase

extension EmbeddingTable {
  /// Draws negatives from the rows of the last commit, and merges them with the positives.
  ///
  /// No pass over the table is made per call. `unigram` keeps 8 bytes a block of rows, renewed for
  /// the blocks that a commit changes; `logUniform` keeps the order of rows by frequency, 8 bytes a
  /// row, made anew when the table has changed by a tenth. Both are made at first use, by one pass.
  public func sample(
    _ request: SamplingRequest, positives: IDColumn
  ) throws(EmbeddingError) -> CandidateSample {
    try check(positives.batch)
    let source = try CommittedTable(self)
    var positiveRows: [Int?] = []
    try positives.batch.withUnsafeIDs { (ids) throws(EmbeddingError) in
      for i in 0..<ids.count { positiveRows.append(try source.row(of: RowKey(ids, i))) }
    }
    let sample = try sampleRows(
      request, positives: positiveRows, over: source, state: core.sampler)
    var ids = positives
    try source.appendIDs(
      of: sample.rows.dropFirst(positives.count).map { UInt64($0.unsafelyUnwrapped) }, to: &ids)
    return CandidateSample(sample, ids: ids)
  }
}

extension CommittedTable {
  func row(of key: RowKey) throws(EmbeddingError) -> Int? {
    try storage.row(of: key, in: view.transaction).map { Int($0) }
  }

  /// Appends the ids of `rows` to `column`, in the same order.
  func appendIDs(of rows: [UInt64], to column: inout IDColumn) throws(EmbeddingError) {
    var keys: [UInt64] = []
    keys.reserveCapacity(rows.count)
    for row in rows {
      let place = storage.layout.place(ofRow: row)
      keys.append(try storage.block(place.block, in: view.transaction).key(place.index))
    }
    try storage.appendIDs(rows: rows, keys: keys, to: &column, in: view.transaction)
  }
}
