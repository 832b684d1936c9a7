import StorageBase

/// The numbers that binary matrices and id columns hold, all little-endian.
enum ElementType: Equatable {
  case float16, bfloat16, float32, float64
  case int8, int16, int32, int64, uint8, uint16, uint32, uint64

  /// Bytes of one element.
  var size: Int {
    switch self {
    case .int8, .uint8: 1
    case .float16, .bfloat16, .int16, .uint16: 2
    case .float32, .int32, .uint32: 4
    case .float64, .int64, .uint64: 8
    }
  }

  /// Whether vectors may be of the type. Half precision converts exactly, double precision is
  /// rounded to the nearest float32.
  var isFloat: Bool {
    switch self {
    case .float16, .bfloat16, .float32, .float64: true
    default: false
    }
  }

  /// The integer that stands at `offset`; nil where it is beyond Int64.
  func integer(_ bytes: RawSpan, at offset: Int) -> Int64? {
    func load<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) -> Int64? {
      Int64(exactly: T(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: T.self)))
    }
    switch self {
    case .int8: return load(Int8.self)
    case .int16: return load(Int16.self)
    case .int32: return load(Int32.self)
    case .int64: return load(Int64.self)
    case .uint8: return load(UInt8.self)
    case .uint16: return load(UInt16.self)
    case .uint32: return load(UInt32.self)
    case .uint64: return load(UInt64.self)
    default: preconditionFailure("ids are integers")
    }
  }

  /// The float that stands at `offset`.
  @inline(__always)
  func float(_ bytes: RawSpan, at offset: Int) -> Float {
    switch self {
    case .float32:
      return Float(bitPattern: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    case .float64:
      return Float(
        Double(bitPattern: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)))
    case .bfloat16:
      let bits = bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self)
      return Float(bitPattern: UInt32(bits) << 16)
    case .float16:
      return widened(
        half: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
    default: preconditionFailure("vectors are floats")
    }
  }
}

/// The float32 of a half's bits, exactly. (Swift's `Float16` is missing on some platforms.)
func widened(half bits: UInt16) -> Float {
  let sign = UInt32(bits >> 15) << 31
  let exponent = UInt32(bits >> 10) & 0x1F
  let fraction = UInt32(bits) & 0x3FF
  switch exponent {
  case 0:
    let magnitude = Float(fraction) * 0x1p-24
    return Float(bitPattern: magnitude.bitPattern | sign)
  case 31: return Float(bitPattern: sign | 0x7F80_0000 | fraction << 13)
  default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
  }
}

/// Appends the floats in `bytes`; `malformed` makes an error of a byte offset within them and a
/// reason.
func appendFloats(
  _ bytes: Span<UInt8>, as type: ElementType, to vectors: inout [Float], allowsNonFinite: Bool,
  malformed: (Int, String) -> EmbeddingError
) throws(EmbeddingError) {
  let raw = bytes.bytes
  let count = raw.byteCount / type.size
  let first = vectors.count
  vectors.append(contentsOf: repeatElement(0, count: count))
  var values = vectors.mutableSpan
  for i in 0..<count { values[first + i] = type.float(raw, at: i * type.size) }
  guard !allowsNonFinite else { return }
  for i in 0..<count where !vectors[first + i].isFinite {
    throw malformed(
      i * type.size,
      "the value is NaN, infinite or beyond float32; allow non-finite values to read it as it is.")
  }
}
