import CKernels
import StorageBase

/// The values of vectors as the parts of a block: byte planes of the encoded values, and for int8
/// the scales of the rows before them.
enum VectorColumn {
  /// The bytes of one encoded value.
  static func width(_ encoding: ValueEncoding) -> Int {
    switch encoding {
    case .float32: 4
    case .float16, .bfloat16: 2
    case .int8: 1
    }
  }

  /// Writes the parts of `vectors`, row-major `[n, dimension]`, one after the other. The position
  /// of the first value that the encoding cannot hold, or nil.
  static func split(
    _ vectors: UnsafeBufferPointer<Float>, dimension: Int, _ encoding: ValueEncoding,
    scratch: Scratch, to parts: UnsafeMutableRawBufferPointer
  ) -> Int? {
    guard let planes = parts.baseAddress, let floats = vectors.baseAddress else { return nil }
    let bytes = planes.assumingMemoryBound(to: UInt8.self)
    switch encoding {
    case .float32:
      ck_split_planes(floats, vectors.count, 4, bytes)
      return nil
    case .float16, .bfloat16:
      let halves = scratch.take(2 * vectors.count).bindMemory(to: UInt16.self)
      guard let start = halves.baseAddress else { return nil }
      if encoding == .float16 {
        ck_halves_of_floats(floats, vectors.count, start)
      } else {
        for i in 0..<vectors.count { halves[i] = bfloat16(vectors[i]) }
      }
      ck_split_planes(start, vectors.count, 2, bytes)
      let infinity: UInt16 = encoding == .float16 ? 0x7C00 : 0x7F80
      return vectors.indices.first { halves[$0] & 0x7FFF == infinity && vectors[$0].isFinite }
    case .int8:
      let rows = vectors.count / dimension
      let scales = scratch.take(4 * rows).bindMemory(to: Float.self)
      var bad: Int?
      for row in 0..<rows {
        let vector = UnsafeBufferPointer(rebasing: vectors[row * dimension..<(row + 1) * dimension])
        let values = parts.baseAddress! + 4 * rows + row * dimension
        let position = Int8Rows.quantize(
          vector, scale: &scales[row],
          to: UnsafeMutableBufferPointer(
            start: values.assumingMemoryBound(to: Int8.self), count: dimension))
        if let position, bad == nil { bad = row * dimension + position }
      }
      ck_split_planes(scales.baseAddress!, rows, 4, bytes)
      return bad
    }
  }

  /// Reads the parts back into `vectors`.
  static func join(
    _ parts: UnsafeRawBufferPointer, dimension: Int, _ encoding: ValueEncoding, scratch: Scratch,
    into vectors: UnsafeMutableBufferPointer<Float>
  ) {
    guard let planes = parts.baseAddress, let floats = vectors.baseAddress else { return }
    let bytes = planes.assumingMemoryBound(to: UInt8.self)
    switch encoding {
    case .float32:
      ck_join_planes(bytes, vectors.count, 4, floats)
    case .float16:
      let halves = scratch.take(2 * vectors.count).bindMemory(to: UInt16.self)
      guard let start = halves.baseAddress else { return }
      ck_join_planes(bytes, vectors.count, 2, start)
      ck_floats_of_halves(start, vectors.count, floats)
    case .bfloat16:
      for i in 0..<vectors.count {
        vectors[i] = Float(
          bitPattern: UInt32(bytes[i]) << 16 | UInt32(bytes[vectors.count + i]) << 24)
      }
    case .int8:
      let rows = vectors.count / dimension
      let scales = scratch.take(4 * rows).bindMemory(to: Float.self)
      ck_join_planes(bytes, rows, 4, scales.baseAddress!)
      for row in 0..<rows {
        for i in row * dimension..<(row + 1) * dimension {
          vectors[i] = Float(Int8(bitPattern: bytes[4 * rows + i])) * scales[row]
        }
      }
    }
  }

  /// The nearest value of 8 significant bits, ties to even; a NaN stays one.
  @inline(__always)
  static func bfloat16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
  }
}

/// Rows of 8-bit integers: value = scale * integer.
enum Int8Rows {
  /// Quantizes one row; the position of a value that is not finite or too large, or nil.
  ///
  /// The scale is the largest magnitude / 127, rounded up to 17 significant bits, so that every
  /// product of it with an integer is exact. A row that was quantized before then gives the same
  /// scale and integers again: merging snapshots adds no error to that of writing them. Where the
  /// scale would be subnormal, the row is stored as zeros.
  static func quantize(
    _ vector: UnsafeBufferPointer<Float>, scale: inout Float,
    to values: UnsafeMutableBufferPointer<Int8>
  ) -> Int? {
    var largest: Float = 0
    for i in 0..<vector.count {
      guard vector[i].isFinite else { return i }
      largest = max(largest, abs(vector[i]))
    }
    let bits = ((largest / 127).bitPattern &+ 0x7F) & ~0x7F
    scale = Float(bitPattern: bits)
    if !scale.isNormal {
      scale = 0
      for i in 0..<vector.count { values[i] = 0 }
      return nil
    }
    guard (127 * scale).isFinite else { return vector.firstIndex { abs($0) == largest } }
    for i in 0..<vector.count {
      let value = (vector[i] / scale).rounded(.toNearestOrEven)
      values[i] = Int8(max(-127, min(127, value)))
    }
    return nil
  }
}
