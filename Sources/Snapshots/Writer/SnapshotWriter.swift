package import StorageBase

/// Writes a snapshot: rows in key order, then for a delta the deleted ids, then sections.
///
/// Rows are collected into blocks, which several threads compress; memory is that of a few blocks,
/// however many rows there are. The file appears under its name when ``finish()`` returns; a writer
/// that is let go before leaves nothing behind. The path `-` is standard output. One thread at a
/// time may use a writer.
///
///     let writer = try SnapshotWriter(path: "words.snapshot", description: description)
///     while try source.read(into: &batch) { try writer.append(batch) }
///     try writer.finish()
package final class SnapshotWriter {
  package let description: SnapshotDescription
  /// Rows of each block but the last.
  package let rowsPerBlock: Int

  /// What may still come: each call needs its own stage or an earlier one.
  enum Stage: Int { case rows, deletions, sections, finished }

  var stage = Stage.rows
  var file: BlockFile
  private let queue: EncodingQueue
  private var failure: EmbeddingError?
  /// Rows of the current kind handed over so far.
  private var received = 0

  /// Starts a snapshot at `path`, replacing what stands there once it is finished.
  package init(
    path: String, description: SnapshotDescription,
    options: SnapshotWriterOptions = SnapshotWriterOptions()
  ) throws(EmbeddingError) {
    self.description = description
    rowsPerBlock = description.defaultRowsPerBlock
    let header = HeaderFrame(description: description, rowsPerBlock: rowsPerBlock)
    if let fault = header.fault() {
      throw EmbeddingError(
        .invalidArgument, "A snapshot of \(description.table) cannot be written: \(fault).")
    }
    file = BlockFile(try AtomicFile(path: path, bufferSize: 1 << 20), header: header)
    queue = EncodingQueue(description, threads: options.threadCount)
    try file.begin(header)
  }

  /// Appends rows, which come after those before them in key order (see ``IDKeys``). Slots must be
  /// there if the snapshot includes them, and only then; frequencies and last steps may be missing.
  ///
  /// - Throws: ``EmbeddingError/Code/invalidArgument`` for rows that do not fit or are out of
  /// order;
  ///   the order is checked while blocks are compressed, so that a later call may throw it.
  package func append(_ rows: borrowing RowBatch) throws(EmbeddingError) {
    try enter(.rows)
    try rows.check(description, kind: .rows)
    try append(rows, 0..<rows.count, .rows)
  }

  /// Appends rows `range` of a batch that was read from a snapshot of the same kind.
  func append(_ rows: borrowing RowBatch, _ range: Range<Int>) throws(EmbeddingError) {
    try enter(.rows)
    try append(rows, range, .rows)
  }

  /// Appends `count` rows that `gather` fetches, in the threads that compress, a block at a time
  /// and in any order: the fastest way, for rows that can be found by their position. The result is
  /// that of ``append(_:)``.
  package func append(count: Int, gather: @escaping RowGatherer) throws(EmbeddingError) {
    try enter(.rows)
    var start = 0
    while start < count {
      let phase = received % rowsPerBlock
      let end = min(count, start + rowsPerBlock - phase)
      if phase == 0, end - start == rowsPerBlock {
        let job = try vacantJob()
        job.begin(.rows, gather, start..<end)
        received += rowsPerBlock
        submitFilled(job)
      } else {
        // Part of a block, which other rows complete.
        var rows = emptyBatch()
        try gather(start..<end, &rows)
        try rows.check(description, kind: .rows, count: end - start)
        try append(rows, 0..<rows.count, .rows)
      }
      start = end
    }
  }

  /// Appends ids that a delta deletes, in key order, after all rows. An id is not to be deleted and
  /// have a row in the same delta.
  package func appendDeletions(_ ids: borrowing IDColumn) throws(EmbeddingError) {
    precondition(description.isDelta, "only a delta has deletions")
    try enter(.deletions)
    var rows = emptyBatch()
    rows.ids = copy ids
    try rows.check(description, kind: .deletions)
    try append(rows, 0..<rows.count, .deletions)
  }

  /// Writes what is left, makes the file durable, and gives it its name.
  @discardableResult
  package func finish() throws(EmbeddingError) -> SnapshotSummary {
    try enter(.finished)
    return try remembering { () throws(EmbeddingError) in try file.finish() }
  }

  private func emptyBatch() -> RowBatch {
    RowBatch(
      idType: description.idType, dimension: description.dimension,
      slotCount: description.storedSlotCount)
  }
}

extension SnapshotWriter {
  /// Moves on to `next`, finishing the stages before it.
  func enter(_ next: Stage) throws(EmbeddingError) {
    if let failure { throw failure }
    precondition(
      next.rawValue >= stage.rawValue && stage != .finished, "a snapshot is out of order")
    guard next != stage else { return }
    if stage.rawValue < Stage.sections.rawValue {
      try submitPartial()
      while !queue.isEmpty { try write(queue.take()) }
      try remembering { () throws(EmbeddingError) in try file.endPage() }
      received = 0
    }
    stage = next
  }

  private func append(
    _ rows: borrowing RowBatch, _ range: Range<Int>, _ kind: BlockKind
  ) throws(EmbeddingError) {
    var start = range.lowerBound
    while start < range.upperBound {
      let job = try vacantJob()
      if !job.isFilling { job.begin(kind) }
      let room = rowsPerBlock - received % rowsPerBlock
      let limit = min(range.upperBound, start + room)
      let end = rows.ids.end(ofBlockFrom: start, to: limit, holding: job.rows.ids.bytes.count)
      if end > start { job.rows.append(contentsOf: rows, start..<end) }
      received += end - start
      // Full, or the next id is too long for what the block holds.
      if received % rowsPerBlock == 0 || end < limit { submitFilled(job) }
      start = end
    }
  }

  private func submitPartial() throws(EmbeddingError) {
    let job = try vacantJob()
    if job.isFilling { submitFilled(job) }
  }

  private func submitFilled(_ job: EncodingJob) {
    job.isFilling = false
    queue.submit()
  }

  /// The job to fill, after writing the oldest one if all are in use.
  private func vacantJob() throws(EmbeddingError) -> EncodingJob {
    if let job = queue.vacant { return job }
    try write(queue.take())
    guard let job = queue.vacant else { preconditionFailure("a job was taken") }
    return job
  }

  private func write(_ job: EncodingJob) throws(EmbeddingError) {
    try remembering { () throws(EmbeddingError) in
      if let failure = job.failure { throw failure }
      for block in job.blocks.prefix(job.blockCount) { try file.write(block) }
    }
  }

  /// After a failure the writer is of no more use, and says why.
  func remembering<R>(_ body: () throws(EmbeddingError) -> R) throws(EmbeddingError) -> R {
    do throws(EmbeddingError) {
      return try body()
    } catch {
      failure = error
      throw error
    }
  }
}
