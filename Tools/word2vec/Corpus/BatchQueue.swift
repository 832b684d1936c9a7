import Embeddings
import Synchronization

/// Hands out the batches of all epochs in order, numbered from 0.
///
/// The position in the text is a function of the batch number alone: batch `n` is batch
/// `n % batches` of a pass. To resume, the words before it are read again and dropped.
struct BatchQueue {
  /// The number of the next batch.
  private(set) var next: Int

  private let path: String
  private let layout: CorpusLayout
  private let epochs: Int
  private var epoch: Int
  private var reader: CorpusReader

  /// Starts at batch `first` of a text with `summary`.
  init(
    path: String, layout: CorpusLayout, summary: CorpusSummary, epochs: Int, first: Int
  ) throws(EmbeddingError) {
    self.path = path
    self.layout = layout
    self.epochs = epochs
    next = first
    epoch = first / summary.batches
    reader = try CorpusReader(path: path, layout: layout)
    var dropped = WordBatch()
    for _ in 0..<first % summary.batches { _ = try reader.next(&dropped) }
  }

  /// The next batch below `limit` with its number, or nil.
  mutating func take(below limit: Int) throws(EmbeddingError) -> (number: Int, batch: WordBatch)? {
    guard next < limit, epoch < epochs else { return nil }
    var batch = WordBatch()
    while try !reader.next(&batch) {
      epoch += 1
      if epoch == epochs { return nil }
      reader = try CorpusReader(path: path, layout: layout)
    }
    defer { next += 1 }
    return (next, batch)
  }
}

/// One queue for several threads.
final class SharedQueue: Sendable {
  private let queue: Mutex<BatchQueue>

  init(_ queue: sending BatchQueue) { self.queue = Mutex(queue) }

  /// The next batch below `limit` with its number, or nil.
  func take(below limit: Int) throws(EmbeddingError) -> (number: Int, batch: WordBatch)? {
    try queue.withLock { (queue) throws(EmbeddingError) in try queue.take(below: limit) }
  }
}
