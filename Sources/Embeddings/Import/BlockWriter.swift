import LMDB
import StorageBase

/// Writes the blocks of an import, in a thread of its own while the next ones are made: to the file from
/// where they were made, where that can be (``PageFile``).
///
/// LMDB binds beginning and end of a write transaction to a thread, not what lies between, as long
/// as one thread at a time uses it. The one that began it may do so where nothing is left to write:
/// before the first blocks are handed over, after ``drain()``, and after the run.
final class BlockWriter {
  /// Takes down what is written; to be used like the transaction.
  var recorder: ChangeRecorder
  private let storage: TableStorage
  private let limits: ImportLimits
  /// The tree has the blocks below this one.
  private var blockCount: UInt64
  private var bytesWritten = 0
  /// What is left of the tree's last page.
  private var room = 0
  /// Whether a block was written that stood in the tree: it may be written again.
  private var hasReplaced = false
  private let queue = Monitor(Queue())

  private struct Queue {
    /// Blocks to write, the first first.
    var waiting: [PreparedBlocks] = []
    /// Memory that was written, to be filled again.
    var free: [PreparedBlocks] = []
    var isWriting = false
    var isClosed = true
    var failure: EmbeddingError?
  }

  private enum Answer {
    case blocks(PreparedBlocks)
    /// There is no thread that writes, or it is to end.
    case nobody
  }

  /// How many batches' blocks may wait: while one thread writes pages ahead of the commit, which takes
  /// the time of some batches, the others go on.
  private static let mostWaiting = 3

  /// - Parameter record: the table as it is before.
  init(
    storage: TableStorage, limits: ImportLimits, record: TableRecord,
    recorder: consuming ChangeRecorder
  ) {
    self.storage = storage
    self.limits = limits
    self.recorder = recorder
    blockCount = storage.layout.blockCount(rows: record.rowCount)
  }

  // MARK: For the thread that makes blocks

  /// Runs `body` while another thread writes the blocks that it hands over; what is left at its end
  /// is not written. Where the system gives no thread, they are written when they are handed over.
  func run(in transaction: borrowing WriteTransaction, _ body: () -> Void) {
    func work() { writeUntilClosed(in: transaction) }
    queue.withLock { $0.isClosed = false }
    alongside(work) { hasThread in
      if !hasThread { queue.withLock { $0.isClosed = true } }
      body()
      queue.withLock { $0.isClosed = true }
      queue.broadcast()
    }
  }

  /// Hands blocks over, and returns others to be filled. Throws what kept earlier ones from being
  /// written.
  func write(
    _ blocks: PreparedBlocks, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> PreparedBlocks {
    guard blocks.count > 0 else { return blocks }
    let (layout, mostWaiting) = (storage.layout, Self.mostWaiting)
    let next = try queue.wait { (queue) throws(EmbeddingError) -> Answer? in
      if let failure = queue.failure { throw failure }
      if queue.isClosed { return .nobody }
      guard queue.waiting.count < mostWaiting else { return nil }
      queue.waiting.append(blocks)
      return .blocks(queue.free.popLast() ?? PreparedBlocks(layout: layout))
    }
    if case .blocks(let next) = next {
      queue.broadcast()
      return next
    }
    try writeAll(blocks, in: transaction)
    return blocks
  }

  /// Waits until all blocks are written.
  func drain() throws(EmbeddingError) {
    try queue.wait { (queue) throws(EmbeddingError) -> Bool? in
      if let failure = queue.failure { throw failure }
      return queue.waiting.isEmpty && !queue.isWriting ? true : nil
    }
  }

  // MARK: For the thread that writes

  private func writeUntilClosed(in transaction: borrowing WriteTransaction) {
    while let blocks = next() {
      var failure: EmbeddingError?
      do throws(EmbeddingError) {
        try writeAll(blocks, in: transaction)
      } catch { failure = error }
      queue.withLock { queue in
        queue.isWriting = false
        queue.failure = failure
        queue.free.append(blocks)
      }
      queue.broadcast()
      if failure != nil { return }
    }
  }

  /// The next blocks; nil once there will be none.
  private func next() -> PreparedBlocks? {
    let next = try? queue.wait { (queue) throws(EmbeddingError) -> Answer? in
      if queue.isClosed { return .nobody }
      guard !queue.waiting.isEmpty else { return nil }
      queue.isWriting = true
      return .blocks(queue.waiting.removeFirst())
    }
    if case .blocks(let blocks) = next { return blocks }
    return nil
  }

  private func writeAll(
    _ blocks: PreparedBlocks, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    let pages = blocks.pages
    let file = storage.pageFile(in: transaction)
    try transaction.withAppender(storage.blocks, room: &room) {
      (tree) throws(EmbeddingError) in
      for number in blocks.first..<blocks.end {
        let i = Int(number - blocks.first)
        // The block that the table ended with may be the first.
        let isLast = number >= blockCount
        if file != nil { try pages.reserve(i, number: number, isLast: isLast, in: &tree) }
        if !pages.hasPlace(i) {
          try pages.put(i, number: number, isLast: isLast && file == nil, in: &tree)
        }
      }
    }
    if let file { try transaction.check(writing: pages.write(blocks.count, to: file)) }
    for number in blocks.first..<blocks.end { try note(number, in: transaction) }
    blockCount = max(blockCount, blocks.end)
    blocks.removeAll()
  }

  /// Writes a block anew that is in the tree.
  func replace(
    _ number: UInt64, _ bytes: UnsafeRawBufferPointer, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    precondition(number < blockCount, "a block is replaced that is not in the tree")
    hasReplaced = true
    try transaction.put(number, bytes, in: storage.blocks)
    try note(number, in: transaction)
  }

  /// Takes down that a block was written, and writes pages ahead of the commit when they are many.
  private func note(
    _ number: UInt64, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    try recorder.noteBlock(number, in: transaction)
    bytesWritten += storage.layout.byteCount
    guard bytesWritten >= limits.bytesAhead else { return }
    bytesWritten = 0
    try transaction.writeAhead(storage.blocks, forgetting: !hasReplaced)
  }
}
