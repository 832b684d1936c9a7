/// What the ids of a workload are.
public enum KeyKind: String, Sendable {
  /// Int64.
  case int64
  /// Strings such as `user_7070836379803831727`.
  case string
}

/// The keys of many rows, one after the other, in memory of their own: what engines are asked with.
///
/// The memory does not change once it is made, and lives as long as the stream does.
public final class KeyStream: @unchecked Sendable {
  /// What the keys are.
  public let kind: KeyKind
  /// Keys.
  public let count: Int
  /// The keys, if they are Int64.
  public let int64s: UnsafeMutableBufferPointer<Int64>
  /// `count + 1` offsets into `bytes`, if they are strings.
  public let offsets: UnsafeMutableBufferPointer<Int32>
  /// The bytes of all keys, if they are strings.
  public let bytes: UnsafeMutableBufferPointer<UInt8>

  /// The keys of the rows `ids`.
  public convenience init(_ ids: [UInt32], kind: KeyKind) {
    self.init(count: ids.count, kind: kind) { UInt64(ids[$0]) }
  }

  /// The keys of rows 0 to `rows - 1`.
  public convenience init(rows: Int, kind: KeyKind) {
    self.init(count: rows, kind: kind) { UInt64($0) }
  }

  private init(count: Int, kind: KeyKind, id: (Int) -> UInt64) {
    self.kind = kind
    self.count = count
    switch kind {
    case .int64:
      int64s = .allocate(capacity: count)
      offsets = .allocate(capacity: 0)
      bytes = .allocate(capacity: 0)
      for i in 0..<count { int64s.initializeElement(at: i, to: int64Key(id(i))) }
    case .string:
      int64s = .allocate(capacity: 0)
      offsets = .allocate(capacity: count + 1)
      bytes = .allocate(capacity: count * 24)
      var end = 0
      for i in 0..<count {
        offsets.initializeElement(at: i, to: Int32(end))
        end += writeStringKey(id(i), to: bytes.baseAddress! + end)
      }
      offsets.initializeElement(at: count, to: Int32(end))
    }
  }

  deinit {
    int64s.deallocate()
    offsets.deallocate()
    bytes.deallocate()
  }
}

/// Writes the string key of row `id` to memory for 24 bytes, and returns its length.
public func writeStringKey(_ id: UInt64, to bytes: UnsafeMutablePointer<UInt8>) -> Int {
  var length = 0
  for byte in "user_".utf8 {
    (bytes + length).initialize(to: byte)
    length += 1
  }
  var divisor: UInt64 = 1
  let number = stringKeyNumber(id)
  while number / divisor >= 10 { divisor *= 10 }
  while divisor > 0 {
    (bytes + length).initialize(to: UInt8(number / divisor % 10) + 48)
    length += 1
    divisor /= 10
  }
  return length
}
