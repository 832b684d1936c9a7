package import StorageBase

/// Rows on their way through the threads that encode them.
final class EncodingJob: @unchecked Sendable {
  // Unchecked: the writer fills it, one worker encodes it, the writer takes the result; the queue's
  // monitor lies between them.
  var kind = BlockKind.rows
  var rows: RowBatch
  /// What fills `rows` first, in the worker.
  var gather: RowGatherer?
  var range = 0..<0
  var blocks: [EncodedBlock] = [EncodedBlock()]
  /// How many of `blocks` are in use.
  var blockCount = 0
  var failure: EmbeddingError?
  var isDone = false
  /// Whether the writer is collecting rows in it.
  var isFilling = false

  init(_ rows: RowBatch) { self.rows = rows }

  /// Empties it for new rows.
  func begin(_ kind: BlockKind, _ gather: RowGatherer? = nil, _ range: Range<Int> = 0..<0) {
    self.kind = kind
    self.gather = gather
    self.range = range
    rows.removeAll()
    isFilling = true
  }
}

/// Fills a batch, which is empty, with rows `range` of a sequence that is in key order.
package typealias RowGatherer =
  @Sendable (_ range: Range<Int>, _ rows: inout RowBatch) throws(EmbeddingError) -> Void

/// Encodes jobs in several threads, and gives them back in the order in which they were handed in.
/// One thread hands in and takes out.
final class EncodingQueue {
  private struct State {
    var waiting: [EncodingJob] = []
    var isClosed = false
  }

  private let state = Monitor(State())
  private let jobs: [EncodingJob]
  private let threads: ThreadGroup?
  /// Encodes in the calling thread where there are no others.
  private let worker: EncodingWorker
  private var submitted = 0
  private var taken = 0

  init(_ description: SnapshotDescription, threads: Int) {
    let state = state
    worker = EncodingWorker(description)
    // With one thread alone, encoding and writing take turns in it.
    let group = ThreadGroup(threads > 1 ? threads : 0) {
      let worker = EncodingWorker(description)
      while let job = Self.next(state) {
        worker.run(job)
        state.withLock { _ in job.isDone = true }
        state.broadcast()
      }
    }
    self.threads = group.count > 0 ? group : nil
    jobs = (0..<(group.count > 0 ? 2 * group.count + 2 : 1)).map { _ in
      EncodingJob(
        RowBatch(
          idType: description.idType, dimension: description.dimension,
          slotCount: description.storedSlotCount))
    }
  }

  deinit {
    state.withLock {
      $0.waiting = []
      $0.isClosed = true
    }
    state.broadcast()
    threads?.join()
  }

  private static func next(_ state: Monitor<State>) -> EncodingJob? {
    let next = try? state.wait { (state) throws(EmbeddingError) -> EncodingJob?? in
      if let job = state.waiting.first {
        state.waiting.removeFirst()
        return job
      }
      return state.isClosed ? .some(nil) : nil
    }
    return next ?? nil
  }

  /// The job to fill next; nil while all are in use, when the oldest has to be taken first.
  var vacant: EncodingJob? {
    submitted - taken < jobs.count ? jobs[submitted % jobs.count] : nil
  }

  /// Whether jobs were handed in that were not taken out.
  var isEmpty: Bool { submitted == taken }

  /// Hands in the vacant job.
  func submit() {
    let job = jobs[submitted % jobs.count]
    submitted += 1
    job.isDone = false
    job.failure = nil
    guard threads != nil else { return worker.run(job) }
    state.withLock { $0.waiting.append(job) }
    state.broadcast()
  }

  /// Waits for the oldest job, and gives it; it stays valid until the next call of `submit`.
  func take() -> EncodingJob {
    let job = jobs[taken % jobs.count]
    taken += 1
    if threads != nil {
      _ = try? state.wait { (_) throws(EmbeddingError) -> Bool? in job.isDone ? true : nil }
    }
    return job
  }
}

/// What one thread needs to encode.
private final class EncodingWorker {
  private let rows: BlockEncoder
  private let deletions: BlockEncoder
  private let rowWidth: SnapshotDescription

  init(_ description: SnapshotDescription) {
    rows = BlockEncoder(.rows, description)
    deletions = BlockEncoder(.deletions, description)
    rowWidth = description
  }

  func run(_ job: EncodingJob) {
    job.blockCount = 0
    do throws(EmbeddingError) {
      if let gather = job.gather {
        job.rows.removeAll()
        try gather(job.range, &job.rows)
        try job.rows.check(rowWidth, kind: job.kind, count: job.range.count)
      }
      try encode(job)
    } catch {
      job.failure = error
    }
  }

  /// One block, or more where the ids are long.
  private func encode(_ job: EncodingJob) throws(EmbeddingError) {
    let encoder = job.kind == .rows ? rows : deletions
    var start = 0
    while start < job.rows.count {
      let end = job.rows.ids.end(ofBlockFrom: start, to: job.rows.count)
      if job.blockCount == job.blocks.count { job.blocks.append(EncodedBlock()) }
      let block = job.blocks[job.blockCount]
      if start == 0, end == job.rows.count {
        try encoder.encode(job.rows, into: block)
      } else {
        try encoder.encode(job.rows.slice(start..<end), into: block)
      }
      job.blockCount += 1
      start = end
    }
  }
}
