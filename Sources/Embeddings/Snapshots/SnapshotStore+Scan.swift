import Snapshots
public import StorageBase

extension SnapshotStore {
  /// Hands all rows to `body`, batch by batch, in the order of the file, that of the ids; several
  /// threads decode ahead.
  ///
  /// - Throws: ``EmbeddingError/Code/invalidArgument`` where slots are asked for that the snapshot
  ///   was exported without; ``EmbeddingError/Code/corruption``.
  public func forEachBatch(
    ofAtMost batchSize: Int, includingSlots: Bool,
    _ body: (borrowing RowBatch) throws(EmbeddingError) -> Bool
  ) throws(EmbeddingError) {
    if includingSlots, !snapshot.includesSlots, snapshot.slotCount > 0 {
      throw EmbeddingError(
        .invalidArgument,
        "\(path) was exported without its \(snapshot.slotCount) optimizer slots a row. Read it "
          + "without them, or export with slots.")
    }
    let limit = max(1, batchSize)
    var part = RowBatch(
      idType: configuration.idType, dimension: configuration.dimension,
      slotCount: includingSlots ? configuration.slotCount : 0)
    // The reader's own scan has no way out but an error.
    var isStopped = false
    do throws(EmbeddingError) {
      try reader.forEachBatch(columns: includingSlots ? .all : .vectors) {
        (rows, _) throws(EmbeddingError) in
        for start in stride(from: 0, to: rows.count, by: limit) {
          part.removeAll()
          part.append(rows, start..<min(start + limit, rows.count))
          guard try body(part) else {
            isStopped = true
            throw EmbeddingError(.cancelled, "The scan was stopped.")
          }
        }
      }
    } catch {
      if !isStopped { throw error }
    }
  }

  /// Draws negatives from the rows, and merges them with the positives.
  ///
  /// `uniform` reads the blocks of the rows drawn. `unigram` and `logUniform` read all frequencies
  /// at first use, and keep 8 bytes for 1,024 rows and 8 bytes a row.
  public func sample(
    _ request: SamplingRequest, positives: IDColumn
  ) throws(EmbeddingError) -> CandidateSample {
    try checkBatch(positives.batch, idType: configuration.idType, store: path)
    var positiveRows = [Int?](repeating: nil, count: positives.count)
    try reader.lookup(positives.batch, columns: .metadata) { (i, row) throws(EmbeddingError) in
      positiveRows[i] = Int(row.ordinal)
    }
    let sample = try sampleRows(
      request, positives: positiveRows, over: SnapshotRows(reader), state: sampler)
    let drawn = sample.rows.dropFirst(positives.count).map { UInt64($0.unsafelyUnwrapped) }
    var found = [EmbeddingID?](repeating: nil, count: drawn.count)
    try reader.rows(at: drawn.span, columns: .metadata) { (i, row) throws(EmbeddingError) in
      found[i] = row.id
    }
    var ids = positives
    for id in found { ids.append(id.unsafelyUnwrapped) }
    return CandidateSample(sample, ids: ids)
  }
}

/// The rows of a snapshot, numbered in their order, as sampling reads them.
private struct SnapshotRows: SamplingSource {
  let reader: SnapshotReader

  init(_ reader: SnapshotReader) { self.reader = reader }

  var count: Int { Int(reader.rowCount) }
  /// Of sampling's own: those of the file may hold fewer rows where ids are long.
  var rowsPerBlock: Int { 1024 }
  /// Nothing ever changes.
  var totalFrequency: UInt64 { 0 }
  var generation: UInt64 { 1 }

  func frequency(ofRow row: Int) throws(EmbeddingError) -> UInt64 {
    var frequencies: [UInt64] = []
    try read(row..<row + 1, &frequencies)
    return frequencies[0]
  }

  func frequencies(
    ofBlock block: Int, into frequencies: inout [UInt64]
  ) throws(EmbeddingError) {
    let start = block * rowsPerBlock
    try read(start..<min(start + rowsPerBlock, count), &frequencies)
  }

  private func read(
    _ rows: Range<Int>, _ frequencies: inout [UInt64]
  ) throws(EmbeddingError) {
    var found = [UInt64](repeating: 0, count: rows.count)
    let ordinals = rows.map { UInt64($0) }
    try reader.rows(at: ordinals.span, columns: .metadata) { (i, row) throws(EmbeddingError) in
      found[i] = row.frequency
    }
    frequencies = found
  }
}

extension RowBatch {
  /// Appends rows `range` of another batch, with as many columns as this one has.
  mutating func append(_ other: borrowing RowBatch, _ range: Range<Int>) {
    ids.append(contentsOf: other.ids, range)
    vectors += other.vectors[range.lowerBound * dimension..<range.upperBound * dimension]
    if slotCount > 0 {
      slots += other.slots[range.lowerBound * slotCount..<range.upperBound * slotCount]
    }
    frequencies += other.frequencies[range]
    lastSteps += other.lastSteps[range]
  }
}
