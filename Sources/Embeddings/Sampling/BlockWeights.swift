package import StorageBase

/// The weights `frequency^distortion` of a table summed by block, in a tree from which a block is
/// drawn, and a block's weight replaced, in time logarithmic in the number of blocks.
///
/// Each node is the sum of `fanOut` nodes below it: 8.5 bytes a block in all, and nothing a row.
/// An update recomputes the sums above the changed blocks from the nodes below them, never adds a
/// difference. So errors cannot build up: every node is within a few ulps of the true sum, and the
/// tree after any sequence of updates equals, bit for bit, one built from scratch. That is what
/// makes a sample depend on the stored state alone, not on the commits that led to it. (A Fenwick
/// tree of the same size keeps no leaves, and so has to work by differences.)
package struct BlockWeights: Sendable, Equatable {
  static let fanOut = 16

  /// The exponent.
  package let distortion: Float
  /// The number of rows that the blocks held when they were last read.
  package private(set) var rowCount: Int
  /// `levels[0]` holds the blocks' sums, each further level the sums of `fanOut` of the one before;
  /// the last level has one node.
  private var levels: [[Double]]

  /// Reads every block of `source`.
  package init<Source: SamplingSource & ~Copyable & ~Escapable>(
    distortion: Float, of source: borrowing Source
  ) throws(EmbeddingError) {
    self.distortion = distortion
    rowCount = source.count
    var leaves: [Double] = []
    leaves.reserveCapacity(source.blockCount)
    var frequencies: [UInt64] = []
    for block in 0..<source.blockCount {
      try source.readBlock(block, into: &frequencies)
      leaves.append(Self.sum(frequencies, distortion: distortion))
    }
    levels = [leaves]
    rebuildLevels()
  }

  /// The sum over all rows.
  package var total: Double { levels[levels.count - 1].first ?? 0 }

  /// The number of blocks.
  package var blockCount: Int { levels[0].count }

  /// The sum over block `block`.
  package subscript(block: Int) -> Double { levels[0][block] }

  /// Reads `changedBlocks` again, and those that `source` has more or fewer of than before. If
  /// reading fails, nothing has changed.
  package mutating func update<Source: SamplingSource & ~Copyable & ~Escapable>(
    _ changedBlocks: some Sequence<Int>, of source: borrowing Source
  ) throws(EmbeddingError) {
    let blockCount = source.blockCount
    var blocks = Set(changedBlocks.lazy.filter { $0 < blockCount })
    if source.count != rowCount {
      // The block that was last, and the one that is, may have got longer or shorter; what lies
      // between them is new.
      let first = max(0, min(self.blockCount, blockCount) - 1)
      blocks.formUnion(first..<blockCount)
    }
    var sums: [(block: Int, sum: Double)] = []
    sums.reserveCapacity(blocks.count)
    var frequencies: [UInt64] = []
    for block in blocks.sorted() {
      try source.readBlock(block, into: &frequencies)
      sums.append((block, Self.sum(frequencies, distortion: distortion)))
    }

    rowCount = source.count
    if blockCount == self.blockCount {
      for (block, sum) in sums { levels[0][block] = sum }
      recomputeSums(above: sums.map(\.block))
    } else {
      if blockCount < self.blockCount {
        levels[0].removeLast(self.blockCount - blockCount)
      } else {
        levels[0].append(contentsOf: repeatElement(0, count: blockCount - self.blockCount))
      }
      for (block, sum) in sums { levels[0][block] = sum }
      rebuildLevels()
    }
  }

  /// A block, drawn in proportion to its sum. The total must be above 0.
  package func drawBlock(using generator: inout Xoshiro256) -> Int {
    var target = generator.unit() * total
    var node = 0
    for level in levels.dropLast().reversed() {
      let start = node * Self.fanOut
      node = pick(&target, start..<min(start + Self.fanOut, level.count)) { level[$0] }
    }
    return node
  }

  /// The sum of a block's weights, from the first row to the last: always in this order, so that
  /// equal frequencies give equal bits.
  static func sum(_ frequencies: [UInt64], distortion: Float) -> Double {
    var sum = 0.0
    for frequency in frequencies { sum += unigramWeight(frequency, distortion: distortion) }
    return sum
  }

  private mutating func rebuildLevels() {
    levels.removeLast(levels.count - 1)
    while levels[levels.count - 1].count > 1 {
      let below = levels[levels.count - 1]
      levels.append((0..<Self.parent(below.count - 1) + 1).map { Self.nodeSum($0, of: below) })
    }
  }

  /// - Parameter blocks: rising.
  private mutating func recomputeSums(above blocks: [Int]) {
    var nodes = blocks
    for level in levels.indices.dropFirst() {
      var parents: [Int] = []
      for node in nodes where parents.last != Self.parent(node) {
        parents.append(Self.parent(node))
        levels[level][Self.parent(node)] = Self.nodeSum(Self.parent(node), of: levels[level - 1])
      }
      nodes = parents
    }
  }

  private static func parent(_ node: Int) -> Int { node / fanOut }

  private static func nodeSum(_ node: Int, of below: [Double]) -> Double {
    var sum = 0.0
    for i in node * fanOut..<min((node + 1) * fanOut, below.count) { sum += below[i] }
    return sum
  }
}

/// The first index whose running sum of weights exceeds `target`, which is lowered by the weights
/// passed over. Where rounding lets the target pass all of them, the last index of positive weight:
/// an index of weight 0 is never picked while there is another.
func pick(_ target: inout Double, _ indices: Range<Int>, weight: (Int) -> Double) -> Int {
  var last = indices.lowerBound
  for index in indices {
    let weight = weight(index)
    if weight > 0 {
      last = index
      if target < weight { break }
      target -= weight
    }
  }
  return last
}
