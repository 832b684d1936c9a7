import StorageBase

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// How one layer of a blocked Bloom filter is laid out, and where an id's cells are.
///
/// All cells of an id are in one block of 64 bytes (128 where cells have 16 bits, of which 64 bytes
/// would hold too few), so that an id costs one cache miss. A block has `hashes` groups of
/// `groupCells` cells, and an id one cell in each, so that its cells are distinct, and the rate of
/// false positives can be computed exactly rather than bounded: where `i` ids share a block, a
/// group's cell is taken with probability `1 - (1 - 1/groupCells)^i`, independently of the other
/// groups, and `i` is Poisson distributed (Putze, Sanders, Singler: *Cache-, Hash- and
/// Space-Efficient Bloom Filters*, 2007, section 3).
struct LayerShape: Equatable, Sendable {
  /// The number of the layer.
  let number: Int
  /// Bits of a cell: 1, 4, 8 or 16.
  let cellBits: Int
  /// Cells of an id.
  let hashes: Int
  /// Cells from which each of them is drawn.
  let groupCells: Int
  /// Blocks in each stripe.
  let blocks: Int
  /// The distinct ids that the layer is for.
  let capacity: Int

  static let mostLayers = 32
  static let mostHashes = 16

  init(
    number: Int, cellBits: Int, hashes: Int, groupCells: Int, blocks: Int, capacity: Int
  ) {
    self.number = number
    self.cellBits = cellBits
    self.hashes = hashes
    self.groupCells = groupCells
    self.blocks = blocks
    self.capacity = capacity
  }

  /// The smallest layer that keeps `rate` when `capacity` ids are in it.
  init(number: Int, cellBits: Int, capacity: Int, rate: Double) {
    let cells = Self.blockBytes(cellBits) * 8 / cellBits
    var best = (load: 0.0, hashes: 1)
    for hashes in 1...Self.mostHashes {
      let load = Self.load(rate: rate, hashes: hashes, groupCells: cells / hashes)
      // What is gained by another cell must be worth the time it takes.
      if load > best.load * 1.01 { best = (load, hashes) }
    }
    let blocks = Double(capacity) / (Double(FilterStripe.count) * best.load)
    self.init(
      number: number, cellBits: cellBits, hashes: best.hashes, groupCells: cells / best.hashes,
      blocks: max(1, Int(blocks.rounded(.up))), capacity: capacity)
  }

  /// Layer `number` of a filter for `expectedIDs` at `rate`: twice as large as the one before, at
  /// half its rate, so that the rates of all layers together stay below `rate`.
  static func layer(
    _ number: Int, cellBits: Int, expectedIDs: Int, rate: Double
  ) -> LayerShape {
    LayerShape(
      number: number, cellBits: cellBits, capacity: expectedIDs << number,
      rate: rate / Double(1 << (number + 1)))
  }

  /// The bits of a cell that counts to `threshold`.
  static func cellBits(threshold: UInt32) -> Int {
    threshold < 16 ? 4 : threshold < 256 ? 8 : 16
  }

  static func blockBytes(_ cellBits: Int) -> Int { cellBits == 16 ? 128 : 64 }

  var blockBytes: Int { Self.blockBytes(cellBits) }
  /// Bytes of the cells of one stripe.
  var stripeBytes: Int { blocks * blockBytes }
  /// Cells in use in a block.
  var blockCells: Int { hashes * groupCells }

  // MARK: Rate of false positives

  /// The rate when `ids` distinct ids are in the layer.
  func rate(ids: Int) -> Double {
    Self.rate(
      load: Double(ids) / Double(FilterStripe.count * blocks), hashes: hashes,
      groupCells: groupCells)
  }

  /// The rate with `load` ids in a block on average.
  static func rate(load: Double, hashes: Int, groupCells: Int) -> Double {
    guard load > 0 else { return 0 }
    let most = Int(load + 12 * load.squareRoot() + 24)
    var chance = exp(-load)
    var sum = 0.0
    var free = 1.0
    for ids in 0...most {
      sum += chance * pow(1 - free, Double(hashes))
      free *= 1 - 1 / Double(groupCells)
      chance *= load / Double(ids + 1)
    }
    return min(1, sum)
  }

  /// The largest load that keeps the rate; a quarter of an id at least.
  private static func load(rate: Double, hashes: Int, groupCells: Int) -> Double {
    guard groupCells > 1 else { return 0.25 }
    var (low, high) = (0.25, 512.0)
    for _ in 0..<32 {
      let middle = (low + high) / 2
      if self.rate(load: middle, hashes: hashes, groupCells: groupCells) <= rate {
        low = middle
      } else {
        high = middle
      }
    }
    return low
  }
}
