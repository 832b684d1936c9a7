import StorageBase

/// Reads all blocks of one kind in order, with threads that decode ahead of the one that takes
/// them.
final class BlockScan: Sendable {
  /// The number of a block among all of the scan, and where it stands.
  private struct Claim {
    var number: Int
    var page: Int
    var index: Int
  }

  private struct State {
    var next = Claim(number: 0, page: 0, index: 0)
    var results: [Int: Result<DecodedBlock, EmbeddingError>] = [:]
    var taken = 0
    var isStopped = false
  }

  private let reader: SnapshotReader
  private let sequence: BlockSequence
  private let columns: SnapshotColumns
  private let blockCount: Int
  private let window: Int
  private let state = Monitor(State())

  init(
    _ reader: SnapshotReader, _ sequence: BlockSequence, _ columns: SnapshotColumns, threads: Int
  ) {
    self.reader = reader
    self.sequence = sequence
    self.columns = columns
    blockCount = sequence.blockCount
    window = 2 * threads + 1
  }

  /// Calls `body` with each block, in order.
  func run(
    threads: Int, _ body: (DecodedBlock) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    let ahead = threads > 1 && blockCount > 1 ? threads : 0
    let group = ThreadGroup(ahead) { [self] in
      let worker = Worker(self)
      while let claim = claim(waiting: true) { worker.decode(claim) }
    }
    defer {
      state.withLock { $0.isStopped = true }
      state.broadcast()
      group.join()
    }
    let own = Worker(self)
    for number in 0..<blockCount {
      if group.count == 0, let claim = claim(waiting: false) { own.decode(claim) }
      try body(try take(number))
    }
  }

  private func take(_ number: Int) throws(EmbeddingError) -> DecodedBlock {
    let result = try state.wait {
      (state) throws(EmbeddingError) -> Result<DecodedBlock, EmbeddingError>? in
      guard let result = state.results.removeValue(forKey: number) else { return nil }
      state.taken = number + 1
      return result
    }
    state.broadcast()
    guard let result else { preconditionFailure("a wait without end ended") }
    return try result.get()
  }

  /// The next block to decode; nil when there is none, or the scan has ended.
  private func claim(waiting: Bool) -> Claim? {
    let claim = try? state.wait { (state) throws(EmbeddingError) -> Claim?? in
      if state.isStopped || state.next.number == blockCount { return .some(nil) }
      guard state.next.number < state.taken + window else { return waiting ? nil : .some(nil) }
      let claim = state.next
      state.next.number += 1
      state.next.index += 1
      if state.next.index == Int(sequence.pages[claim.page].blockCount) {
        state.next.page += 1
        state.next.index = 0
      }
      return claim
    }
    return claim ?? nil
  }

  /// What one thread needs to decode: the page at hand among it.
  private final class Worker {
    let scan: BlockScan
    let decoder: BlockDecoder
    var pageIndex = -1
    var page: LoadedPage?

    init(_ scan: BlockScan) {
      self.scan = scan
      decoder = BlockDecoder(BlockLayout(scan.sequence.kind, scan.reader.description))
    }

    func decode(_ claim: Claim) {
      let result = Result { () throws(EmbeddingError) -> DecodedBlock in
        if pageIndex != claim.page || page == nil {
          page = try scan.reader.loadPage(claim.page, of: scan.sequence)
          pageIndex = claim.page
        }
        guard let page else { preconditionFailure("no page") }
        return try scan.reader.loadBlock(
          claim.index, of: page, claim.page, columns: scan.columns, decoder)
      }
      scan.state.withLock { $0.results[claim.number] = result }
      scan.state.broadcast()
    }
  }
}
