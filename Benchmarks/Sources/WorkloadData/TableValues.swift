/// The vectors that a table starts with: near-Gaussian, standard deviation 0.05, with random bits
/// down to the last one, so that they cannot be compressed much.
public struct TableValues: Sendable {
  /// Floats in a vector.
  public let dimension: Int
  private let random = RandomStream(0x6A55)

  /// Vectors of `dimension` floats.
  public init(dimension: Int) { self.dimension = dimension }

  /// Element `d` of row `id`.
  @inline(__always)
  public func value(_ id: UInt64, _ d: Int) -> Float {
    let e = (id &* UInt64(dimension) &+ UInt64(d)) &* 2
    let (a, b) = (random[e], random[e &+ 1])
    let sum = (a & 0xffff_ffff) + (a >> 32) + (b & 0xffff_ffff) + (b >> 32)
    return Float((Double(sum) - 8_589_934_590) * 2.016373e-11)
  }

  /// Writes row `id`.
  public func write(_ id: UInt64, to vector: UnsafeMutablePointer<Float>) {
    for d in 0..<dimension { (vector + d).initialize(to: value(id, d)) }
  }

  /// Whether `vector` is row `id`, bit for bit.
  public func matches(_ id: UInt64, _ vector: UnsafePointer<Float>) -> Bool {
    for d in 0..<dimension where vector[d].bitPattern != value(id, d).bitPattern { return false }
    return true
  }

  /// FNV-1a over rows 0 to `rows - 1` as little-endian floats.
  public func checksum(rows: Int) -> UInt64 {
    var hash: UInt64 = fnv1a(UnsafeRawBufferPointer(start: nil, count: 0))
    let vector = UnsafeMutablePointer<Float>.allocate(capacity: dimension)
    defer { vector.deallocate() }
    for id in 0..<rows {
      write(UInt64(id), to: vector)
      hash = fnv1a(UnsafeRawBufferPointer(start: vector, count: dimension * 4), from: hash)
    }
    return hash
  }

  /// The checksum of 5,000,000 rows of 64 floats.
  public static let checksumOf5MillionRows: UInt64 = 0x5073_f896_c8ad_a9b5
}
