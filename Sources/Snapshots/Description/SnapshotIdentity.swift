/// What tells the states of tables apart: 128 bits that whoever exports a snapshot chooses.
///
/// It names a state, not a file: a full snapshot and a delta that lead to the same commit of the
/// same table have the same identity, whichever of them was written. Derived from what the state is
/// (the database, the table, the commit), not from the time or from random numbers, it makes equal
/// exports equal byte for byte.
public struct SnapshotIdentity: Sendable, Hashable, CustomStringConvertible {
  /// The first 64 bits.
  public var high: UInt64
  /// The last 64 bits.
  public var low: UInt64

  /// An identity of two halves.
  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// 32 hexadecimal digits.
  public var description: String { Self.hex(high) + Self.hex(low) }

  private static func hex(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
