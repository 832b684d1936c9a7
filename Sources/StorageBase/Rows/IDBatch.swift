/// What the ids of a table are.
public enum IDType: UInt8, Sendable, Hashable, CustomStringConvertible {
  /// 64-bit signed integers.
  case int64 = 1
  /// Byte strings of any length but zero; UTF-8 is usual, not required.
  case bytes = 2

  /// `int64` or `bytes`.
  public var description: String {
    switch self {
    case .int64: "int64"
    case .bytes: "bytes"
    }
  }
}

/// `n` ids, borrowed from memory that the caller owns: what every batch call of a store takes.
///
/// Int64 ids stand in one contiguous buffer. Byte-string ids stand in Arrow's layout for variable
/// binary: `n + 1` Int32 offsets into one buffer of bytes, id `i` being
/// `bytes[offsets[i] ..< offsets[i + 1]]`. Creating a batch copies nothing and allocates nothing;
/// the compiler keeps it from outliving what it was made from.
///
///     let ids: [Int64] = [7, 42, 7]
///     try table.lookup(IDBatch(ids.span), into: &vectors)
public struct IDBatch: ~Escapable {
  /// The number of ids.
  public let count: Int
  /// What the ids are.
  public let type: IDType
  package let int64s: Span<Int64>
  package let offsets: Span<Int32>
  package let bytes: RawSpan

  /// A batch of Int64 ids.
  @_lifetime(copy ids)
  public init(_ ids: Span<Int64>) {
    count = ids.count
    type = .int64
    int64s = ids
    offsets = Span()
    bytes = RawSpan()
  }

  /// A batch of byte-string ids in Arrow's layout.
  ///
  /// - Parameters:
  ///   - offsets: `n + 1` rising offsets into `bytes`, the first one usually 0.
  ///   - bytes: the bytes of all ids, one after the other.
  /// - Precondition: the offsets rise and lie within `bytes`; each call that takes the batch checks
  ///   it, and throws ``EmbeddingError/Code/invalidArgument`` for ids that are empty.
  @_lifetime(copy offsets, copy bytes)
  public init(offsets: Span<Int32>, bytes: RawSpan) {
    count = max(0, offsets.count - 1)
    type = .bytes
    int64s = Span()
    self.offsets = offsets
    self.bytes = bytes
  }

  /// Lends the batch as raw pointers, after checking that the offsets of byte-string ids rise, lie
  /// within the bytes and leave no id empty.
  package func withUnsafeIDs<R>(
    _ body: (UnsafeIDs) throws(EmbeddingError) -> R
  ) throws(EmbeddingError) -> R {
    switch type {
    case .int64:
      return try int64s.withUnsafeBufferPointer { (ids) throws(EmbeddingError) -> R in
        try body(UnsafeIDs(count: ids.count, int64s: ids.baseAddress, offsets: nil, bytes: nil))
      }
    case .bytes:
      return try offsets.withUnsafeBufferPointer { (offsets) throws(EmbeddingError) -> R in
        try bytes.withUnsafeBytes { (bytes) throws(EmbeddingError) -> R in
          try Self.check(offsets, byteCount: bytes.count)
          return try body(
            UnsafeIDs(
              count: count, int64s: nil, offsets: offsets.baseAddress, bytes: bytes.baseAddress))
        }
      }
    }
  }

  private static func check(
    _ offsets: UnsafeBufferPointer<Int32>, byteCount: Int
  ) throws(EmbeddingError) {
    guard offsets.count > 1 else { return }
    var previous = offsets[0]
    guard previous >= 0 else {
      throw EmbeddingError(.invalidArgument, "The first id offset is \(previous); it must be >= 0.")
    }
    for i in 1..<offsets.count {
      let next = offsets[i]
      guard next > previous else {
        throw EmbeddingError(
          .invalidArgument,
          next == previous
            ? "Id \(i - 1) of the batch is empty; an id has at least one byte."
            : "Id offsets must rise: offset \(i) is \(next), after \(previous).")
      }
      previous = next
    }
    guard Int(previous) <= byteCount else {
      throw EmbeddingError(
        .invalidArgument,
        "The last id offset is \(previous), but the ids have only \(byteCount) bytes.")
    }
  }
}

/// A batch of ids as raw pointers, valid within the closure that lent it.
package struct UnsafeIDs {
  package let count: Int
  package let int64s: UnsafePointer<Int64>?
  package let offsets: UnsafePointer<Int32>?
  package let bytes: UnsafeRawPointer?

  package init(
    count: Int, int64s: UnsafePointer<Int64>?, offsets: UnsafePointer<Int32>?,
    bytes: UnsafeRawPointer?
  ) {
    self.count = count
    self.int64s = int64s
    self.offsets = offsets
    self.bytes = bytes
  }

  /// The bytes of byte-string id `i`.
  @inline(__always)
  package func bytes(_ i: Int) -> UnsafeRawBufferPointer {
    let start = Int(offsets.unsafelyUnwrapped[i])
    let end = Int(offsets.unsafelyUnwrapped[i + 1])
    return UnsafeRawBufferPointer(
      start: bytes.unsafelyUnwrapped + start, count: end - start)
  }
}
