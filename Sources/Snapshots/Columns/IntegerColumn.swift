import CKernels

/// Columns of integers: the least of them as the base, and the differences to it in as few bytes as
/// the largest needs, in byte planes.
enum IntegerColumn {
  /// The base and the width of `values`, by the order of unsigned integers.
  static func measure(_ values: UnsafeBufferPointer<UInt64>) -> BlockHeader.Integers {
    guard var least = values.first else { return BlockHeader.Integers() }
    var largest = least
    for value in values {
      least = min(least, value)
      largest = max(largest, value)
    }
    let bits = UInt64.bitWidth - (largest - least).leadingZeroBitCount
    return BlockHeader.Integers(width: UInt8((bits + 7) / 8), base: least)
  }

  /// Writes the planes of `values`: `width * values.count` bytes.
  static func split(
    _ values: UnsafeBufferPointer<UInt64>, _ column: BlockHeader.Integers,
    to planes: UnsafeMutableRawBufferPointer
  ) {
    for plane in 0..<Int(column.width) {
      let start = plane * values.count
      for i in 0..<values.count {
        planes[start + i] = UInt8(truncatingIfNeeded: (values[i] &- column.base) >> (8 * plane))
      }
    }
  }

  /// Reads value `i` of `count` back; the sum wraps around, which readers check where it matters.
  @inline(__always)
  static func value(
    _ planes: UnsafeRawBufferPointer, _ column: BlockHeader.Integers, _ i: Int, of count: Int
  ) -> UInt64 {
    var value: UInt64 = 0
    for plane in 0..<Int(column.width) {
      value |= UInt64(planes[plane * count + i]) << (8 * UInt64(plane))
    }
    return value &+ column.base
  }
}
