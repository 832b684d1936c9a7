import Testing

@testable import Embeddings

struct SamplerStateTests {
  private let unigram = SamplingDistribution.unigram(distortion: 0.75)

  private func weights(
    _ state: SamplerState, _ rows: some SamplingSource, _ distortion: Float = 0.75
  ) throws -> BlockWeights? {
    let sampler = try state.sampler(for: .unigram(distortion: distortion), over: rows)
    guard case .weighted(let weights) = sampler.method else { return nil }
    return weights
  }

  /// Counts the blocks read.
  private final class CountedRows: SamplingSource {
    let rows: ArrayRows
    nonisolated(unsafe) var blocksRead = 0  // One test, one thread.
    init(_ rows: ArrayRows) { self.rows = rows }
    var count: Int { rows.count }
    var rowsPerBlock: Int { rows.rowsPerBlock }
    var totalFrequency: UInt64 { rows.totalFrequency }
    var generation: UInt64 { rows.generation }
    func frequency(ofRow row: Int) -> UInt64 { rows.frequency(ofRow: row) }
    func frequencies(ofBlock block: Int, into frequencies: inout [UInt64]) {
      blocksRead += 1
      rows.frequencies(ofBlock: block, into: &frequencies)
    }
  }

  @Test func aNotedCommitCostsItsChangedBlocksOnly() throws {
    let state = SamplerState()
    var rows = ArrayRows(powerLaw(400))
    _ = try weights(state, rows)
    _ = try weights(state, rows, 1)
    state.noteCommit(from: 1, to: 2, changedBlocks: [0, 50])
    rows.commit {
      $0[1] += 5
      $0[203] = 0
    }
    let counted = CountedRows(rows)
    #expect(try weights(state, counted) == BlockWeights(distortion: 0.75, of: rows))
    #expect(counted.blocksRead == 4)
    #expect(try weights(state, counted, 1) == BlockWeights(distortion: 1, of: rows))
    #expect(counted.blocksRead == 4)
  }

  @Test func aCallBetweenNotingAndSeeingACommitUsesTheOldWeights() throws {
    let state = SamplerState()
    let old = ArrayRows(powerLaw(400))
    _ = try weights(state, old)
    state.noteCommit(from: 1, to: 2, changedBlocks: [0])
    let counted = CountedRows(old)
    #expect(try weights(state, counted) == BlockWeights(distortion: 0.75, of: old))
    #expect(counted.blocksRead == 0)
  }

  @Test func anUnnotedCommitIsNoticed() throws {
    let state = SamplerState()
    var rows = ArrayRows(powerLaw(400))
    _ = try weights(state, rows)
    rows.commit { $0[7] += 1000 }
    #expect(try weights(state, rows) == BlockWeights(distortion: 0.75, of: rows))
    // Noting it late neither harms nor spoils the next.
    state.noteCommit(from: 1, to: 2, changedBlocks: [1])
    rows.commit { $0[9] += 1000 }
    state.noteCommit(from: 2, to: 3, changedBlocks: [2])
    #expect(try weights(state, rows) == BlockWeights(distortion: 0.75, of: rows))
    // A gap: 3 to 4 was not noted.
    rows.commit { $0[100] += 1000 }
    rows.commit { $0[9] += 1000 }
    state.noteCommit(from: 4, to: 5, changedBlocks: [2])
    #expect(try weights(state, rows) == BlockWeights(distortion: 0.75, of: rows))
  }

  @Test func aFailedCommitIsNotedOnceMoreWithOtherBlocks() throws {
    let state = SamplerState()
    var rows = ArrayRows(powerLaw(400))
    _ = try weights(state, rows)
    state.noteCommit(from: 1, to: 2, changedBlocks: [3])
    state.noteCommit(from: 1, to: 2, changedBlocks: [8])
    rows.commit { $0[33] = 77 }
    #expect(try weights(state, rows) == BlockWeights(distortion: 0.75, of: rows))
  }

  @Test func aReaderOfAnOlderCommitIsServedExactly() throws {
    let state = SamplerState()
    let old = ArrayRows(powerLaw(400))
    var new = old
    new.commit { $0.removeLast(100) }
    _ = try weights(state, new)
    #expect(try weights(state, old) == BlockWeights(distortion: 0.75, of: old))
    #expect(try weights(state, new) == BlockWeights(distortion: 0.75, of: new))
  }

  @Test func moreDistortionsThanAreKeptStillWork() throws {
    let state = SamplerState()
    let rows = ArrayRows(powerLaw(50))
    for d in [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.1, 0.6] as [Float] {
      #expect(try weights(state, rows, d) == BlockWeights(distortion: d, of: rows))
    }
  }

  private func ranked(_ state: SamplerState, _ rows: ArrayRows) throws -> [Int] {
    guard case .ranked(let order) = try state.sampler(for: .logUniform, over: rows).method else {
      return []
    }
    return (0..<order.count).map { order.row(atRank: $0) }
  }

  @Test func ranksLagUntilTheToleranceIsExceeded() throws {
    let state = SamplerState()
    var rows = ArrayRows([UInt64](repeating: 100, count: 50))
    let first = try ranked(state, rows)
    rows.commit { $0[49] += 100 }
    #expect(try ranked(state, rows) == first)
    rows.commit { $0[49] += 1000 }
    #expect(try ranked(state, rows) == rows.rowsByRank)
  }

  @Test func ranksNeverLagWithAToleranceOfZero() throws {
    let state = SamplerState(rankTolerance: 0)
    var rows = ArrayRows([UInt64](repeating: 100, count: 50))
    _ = try ranked(state, rows)
    rows.commit { $0.swapAt(3, 4) }
    rows.commit { $0[49] += 1 }
    #expect(try ranked(state, rows) == rows.rowsByRank)
  }

  @Test func ranksAreRenewedWhenRowsGoAway() throws {
    let state = SamplerState(rankTolerance: 0.5)
    var rows = ArrayRows(powerLaw(50))
    _ = try ranked(state, rows)
    rows.commit { $0.removeLast() }
    #expect(try ranked(state, rows) == rows.rowsByRank)
  }

  @Test func anEmptyTableIsAnError() {
    for distribution in [.uniform, .logUniform, unigram] {
      #expect {
        try SamplerState().sampler(for: distribution, over: ArrayRows([]))
      } throws: {
        ($0 as? EmbeddingError)?.code == .invalidArgument
      }
    }
  }

  @Test(arguments: [-1, 8.5, .nan, .infinity] as [Float])
  func aDistortionOutOfRangeIsAnError(distortion: Float) {
    #expect {
      try SamplerState().sampler(for: .unigram(distortion: distortion), over: ArrayRows([1]))
    } throws: {
      ($0 as? EmbeddingError)?.code == .invalidArgument
    }
  }
}
