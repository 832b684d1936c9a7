import StorageBase

/// A distribution made ready to draw the rows of one state of a table.
package struct RowSampler: Sendable {
  enum Method: Sendable {
    case uniform
    case ranked(RankOrder)
    case weighted(BlockWeights)
  }
  let method: Method
  /// The number of rows in the table.
  let rowCount: Int

  /// How many rows one draw reads: what a pass over the table is weighed against.
  func drawCost<Source: SamplingSource & ~Copyable & ~Escapable>(
    _ source: borrowing Source
  ) -> Int {
    if case .weighted = method { return source.rowsPerBlock }
    return 1
  }

  /// Draws a row, with its probability.
  ///
  /// - Parameter frequencies: memory to read a block into, kept from draw to draw.
  func draw<Source: SamplingSource & ~Copyable & ~Escapable>(
    from source: borrowing Source, using generator: inout Xoshiro256,
    frequencies: inout [UInt64]
  ) throws(EmbeddingError) -> (row: Int, probability: Double) {
    switch method {
    case .uniform:
      return (generator.next(below: rowCount), 1 / Double(rowCount))
    case .ranked(let order):
      let rank = order.distribution.draw(using: &generator)
      return (order.row(atRank: rank), order.distribution.probability(rank))
    case .weighted(let weights):
      let block = weights.drawBlock(using: &generator)
      try source.readBlock(block, into: &frequencies)
      // A fresh draw within the block, rather than what is left of the target that chose the block:
      // its 53 bits are few for the lightest rows of a large table.
      var target = generator.unit() * weights[block]
      let offset = pick(&target, frequencies.indices) {
        unigramWeight(frequencies[$0], distortion: weights.distortion)
      }
      let weight = unigramWeight(frequencies[offset], distortion: weights.distortion)
      return (block * source.rowsPerBlock + offset, weight / weights.total)
    }
  }

  /// The probability of a positive, nil if the table does not hold it: that of drawing it, or of
  /// the least likely row that could be drawn, if it cannot be. Training the positive makes it
  /// such a row, and sampled softmax needs a logarithm.
  func probability<Source: SamplingSource & ~Copyable & ~Escapable>(
    ofPositive row: Int?, in source: borrowing Source
  ) throws(EmbeddingError) -> Double {
    switch method {
    case .uniform:
      return 1 / Double(rowCount)
    case .ranked(let order):
      let rank = row.flatMap { order.rank(ofRow: $0) } ?? order.count - 1
      return order.distribution.probability(rank)
    case .weighted(let weights):
      let frequency = if let row { try source.frequency(ofRow: row) } else { 0 as UInt64 }
      return unigramWeight(max(frequency, 1), distortion: weights.distortion) / weights.total
    }
  }

  /// Calls `body` with every row that can be drawn and its probability, in a fixed order.
  func forEachRow<Source: SamplingSource & ~Copyable & ~Escapable>(
    of source: borrowing Source, _ body: (_ row: Int, _ probability: Double) -> Void
  ) throws(EmbeddingError) {
    switch method {
    case .uniform:
      for row in 0..<rowCount { body(row, 1 / Double(rowCount)) }
    case .ranked(let order):
      for rank in 0..<order.count {
        body(order.row(atRank: rank), order.distribution.probability(rank))
      }
    case .weighted(let weights):
      var frequencies: [UInt64] = []
      for block in 0..<source.blockCount where weights[block] > 0 {
        try source.readBlock(block, into: &frequencies)
        for (offset, frequency) in frequencies.enumerated() where frequency > 0 {
          let weight = unigramWeight(frequency, distortion: weights.distortion)
          body(block * source.rowsPerBlock + offset, weight / weights.total)
        }
      }
    }
  }
}
