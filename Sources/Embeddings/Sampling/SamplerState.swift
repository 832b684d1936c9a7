package import StorageBase
import Synchronization

/// What sampling keeps between calls for one table: block weights for each distortion in use, and
/// the rank order. All of it is made at first use; a table that is never sampled pays nothing.
///
/// It follows the newest commit. A source older than that (a call that began before the commit)
/// is served exactly, from weights made for that call alone, which takes a pass over the table: a
/// reader that stays at an old commit should have a state of its own.
///
/// **Ranks are allowed to lag.** Building the order takes a pass over the table, so it is not
/// renewed with every commit but once rows or updates have grown by more than `rankTolerance`:
/// the passes then cost no more than a constant for each update. Until then log-uniform samples
/// depend on the order at hand, which a process that opens the table later does not have; a
/// tolerance of 0 makes them depend on the stored state alone.
package final class SamplerState: Sendable {
  /// The change of rows or of total frequency, as a fraction, above which the order is rebuilt.
  package let rankTolerance: Double
  private let state = Mutex(State())

  private struct State {
    /// The commit that `weights` are of.
    var generation: UInt64 = 0
    /// The commit that `weights` will be of once `changedBlocks` are read again.
    var announced: UInt64 = 0
    var weights: [BlockWeights] = []
    var changedBlocks: Set<Int> = []
    var ranks: (order: RankOrder, generation: UInt64)?

    /// Starts anew from commit `generation`, without weights.
    mutating func restart(at generation: UInt64) {
      weights = []
      changedBlocks = []
      self.generation = generation
      announced = generation
    }

    /// Brings the weights up to `source`, which must be of the commit announced.
    mutating func readChangedBlocks<Source: SamplingSource & ~Copyable & ~Escapable>(
      of source: borrowing Source
    ) throws(EmbeddingError) {
      // A copy, so that an error leaves all weights at one commit.
      var updated = weights
      for i in updated.indices { try updated[i].update(changedBlocks, of: source) }
      weights = updated
      changedBlocks = []
      generation = announced
    }
  }

  /// How many distortions are kept ready; the one used least recently makes room.
  private static let maximumDistortions = 4

  /// An empty state.
  package init(rankTolerance: Double = 0.1) { self.rankTolerance = rankTolerance }

  /// Notes that commit `next` comes straight after commit `previous`, and changes frequencies in
  /// `changedBlocks` alone. (Blocks that the table grew or shrank by need not be named.)
  ///
  /// To be called just before the commit can be seen: calls at work then find either the weights of
  /// the commit before it, or what it takes to renew them. Should the commit fail, the next one is
  /// noted like any other (or, if another process may write as well, call `invalidate`). A commit
  /// that is seen before it is noted, another process's say, costs a pass over the table. Nothing
  /// happens here if no weights are kept.
  package func noteCommit(
    from previous: UInt64, to next: UInt64, changedBlocks: some Sequence<Int>
  ) {
    state.withLock { state in
      guard !state.weights.isEmpty, next > state.generation else { return }
      // `previous` lies below `announced` after a commit that failed: to read its blocks again,
      // too, does no harm.
      if previous >= state.generation && previous <= state.announced {
        state.announced = next
        state.changedBlocks.formUnion(changedBlocks)
      } else {
        state.restart(at: next)
      }
    }
  }

  /// Forgets everything: for when row numbers have been given out anew.
  package func invalidate() {
    state.withLock { $0 = State() }
  }

  /// Makes `distribution` ready to draw the rows of `source`.
  package func sampler<Source: SamplingSource & ~Copyable & ~Escapable>(
    for distribution: SamplingDistribution, over source: borrowing Source
  ) throws(EmbeddingError) -> RowSampler {
    try distribution.validate()
    guard source.count > 0 else {
      throw EmbeddingError(
        .invalidArgument,
        "The table has no rows to sample from; train or import some and commit first.")
    }
    switch distribution {
    case .uniform:
      return RowSampler(method: .uniform, rowCount: source.count)
    case .logUniform:
      return RowSampler(method: .ranked(try ranks(of: source)), rowCount: source.count)
    case .unigram(let distortion):
      let weights = try weights(distortion: distortion, of: source)
      return RowSampler(
        method: weights.total > 0 ? .weighted(weights) : .uniform, rowCount: source.count)
    }
  }

  private func ranks<Source: SamplingSource & ~Copyable & ~Escapable>(
    of source: borrowing Source
  ) throws(EmbeddingError) -> RankOrder {
    try state.withLock { (state) throws(EmbeddingError) -> RankOrder in
      if let (order, generation) = state.ranks {
        if generation == source.generation { return order }
        let isStale = order.isStale(
          count: source.count, totalFrequency: source.totalFrequency, tolerance: rankTolerance)
        if !isStale && rankTolerance > 0 { return order }
        // The order of an older commit serves its call and is not kept.
        if source.generation < generation { return try RankOrder(of: source) }
      }
      // The old order's memory goes before the new one is made.
      state.ranks = nil
      let order = try RankOrder(of: source)
      state.ranks = (order, source.generation)
      return order
    }
  }

  private func weights<Source: SamplingSource & ~Copyable & ~Escapable>(
    distortion: Float, of source: borrowing Source
  ) throws(EmbeddingError) -> BlockWeights {
    try state.withLock { (state) throws(EmbeddingError) -> BlockWeights in
      if state.weights.isEmpty || source.generation > state.announced {
        state.restart(at: source.generation)
      } else if source.generation != state.generation {
        guard source.generation == state.announced else {
          return try BlockWeights(distortion: distortion, of: source)
        }
        try state.readChangedBlocks(of: source)
      }
      if let i = state.weights.firstIndex(where: { $0.distortion == distortion }) {
        let weights = state.weights.remove(at: i)
        state.weights.append(weights)
        return weights
      }
      let weights = try BlockWeights(distortion: distortion, of: source)
      if state.weights.count == Self.maximumDistortions { state.weights.removeFirst() }
      state.weights.append(weights)
      return weights
    }
  }
}
