/// How a snapshot stores the values of vectors. Optimizer slots are always stored exactly.
public enum ValueEncoding: UInt8, Sendable, Hashable, CaseIterable, CustomStringConvertible {
  /// 32-bit floats, bit for bit: what training continues from. The default.
  case float32 = 1
  /// IEEE 754 binary16, rounded to the nearest, ties to even: 11 significant bits, up to 65,504.
  case float16 = 2
  /// The upper half of a 32-bit float, rounded to the nearest, ties to even: 8 significant bits,
  /// and the range of a float.
  case bfloat16 = 3
  /// 8-bit integers from -127 to 127 with one scale a row.
  case int8 = 4

  /// Whether vectors read back differ from those written.
  public var isLossy: Bool { self != .float32 }

  /// `float32`, `float16`, `bfloat16` or `int8`.
  public var description: String {
    switch self {
    case .float32: "float32"
    case .float16: "float16"
    case .bfloat16: "bfloat16"
    case .int8: "int8"
    }
  }
}
