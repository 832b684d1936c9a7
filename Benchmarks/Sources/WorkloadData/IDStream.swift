#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The row numbers that a workload asks for, batch after batch.
public struct IDStream: Sendable {
  /// How row numbers are drawn.
  public enum Distribution: Sendable, Equatable {
    /// Each row alike.
    case uniform
    /// By rank, the k-th with weight `k^-exponent`; ranks are scattered over the table.
    case zipf(exponent: Double)
  }

  /// The number of the random stream.
  public var stream: UInt64
  /// Batches.
  public var batches: Int
  /// Ids in each.
  public var batchSize: Int
  /// Rows of the table.
  public var rows: Int
  /// How they are drawn.
  public var distribution: Distribution

  /// Describes a stream.
  public init(
    stream: UInt64, batches: Int, batchSize: Int, rows: Int, distribution: Distribution
  ) {
    self.stream = stream
    self.batches = batches
    self.batchSize = batchSize
    self.rows = rows
    self.distribution = distribution
  }

  /// W1: hot lookups.
  public static let w1 = IDStream(
    stream: 1, batches: 256, batchSize: 8_192, rows: 1_000_000,
    distribution: .zipf(exponent: 1.05))
  /// W2: lookups spread over a larger table.
  public static let w2 = IDStream(
    stream: 2, batches: 512, batchSize: 8_192, rows: 5_000_000, distribution: .uniform)
  /// W3: training.
  public static let w3 = IDStream(
    stream: 3, batches: 500, batchSize: 8_192, rows: 5_000_000,
    distribution: .zipf(exponent: 1.05))

  /// FNV-1a of the ids as little-endian UInt32, where the definition of the workloads gives it.
  private var expectedChecksum: UInt64? {
    if self == .w1 { return 0xf7cd_4b71_9d0d_a500 }
    if self == .w2 { return 0x97cd_0fd4_4b48_5693 }
    if self == .w3 { return 0x103f_a090_a868_40fc }
    return nil
  }

  /// Draws all ids, batch after batch.
  public func ids() -> [UInt32] {
    let count = batches * batchSize
    let random = RandomStream(stream)
    var ids = [UInt32](repeating: 0, count: count)
    switch distribution {
    case .uniform:
      for i in 0..<count {
        ids[i] = UInt32(random[UInt64(i)].multipliedFullWidth(by: UInt64(rows)).high)
      }
    case .zipf(let exponent):
      let cumulative = Self.cumulativeWeights(rows: rows, exponent: exponent)
      for i in 0..<count {
        let u = Double(random[UInt64(i)] >> 11) * 0x1p-53 * cumulative[rows]
        let rank = Self.rank(of: u, in: cumulative)
        ids[i] = UInt32((2_654_435_761 &* UInt64(rank) &+ 12_345) % UInt64(rows))
      }
    }
    if let expectedChecksum {
      let checksum = ids.withUnsafeBytes { fnv1a($0) }
      precondition(
        checksum == expectedChecksum, "id stream \(stream) differs from its definition")
    }
    return ids
  }

  /// `C[k]`, the sum of the weights of the first k ranks, added in order.
  private static func cumulativeWeights(rows: Int, exponent: Double) -> [Double] {
    var cumulative = [Double](repeating: 0, count: rows + 1)
    var sum = 0.0
    for k in 1...rows {
      sum += pow(Double(k), -exponent)
      cumulative[k] = sum
    }
    return cumulative
  }

  /// The number of k from 1 on with `C[k] <= u`, at most the last rank.
  private static func rank(of u: Double, in cumulative: [Double]) -> Int {
    cumulative.withUnsafeBufferPointer { cumulative in
      var low = 1
      var high = cumulative.count
      while low < high {
        let middle = (low + high) / 2
        if cumulative[middle] <= u { low = middle + 1 } else { high = middle }
      }
      return min(low - 1, cumulative.count - 2)
    }
  }
}

extension IDStream: Equatable {}
