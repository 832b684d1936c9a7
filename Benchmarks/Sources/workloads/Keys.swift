import Embeddings
import WorkloadData

/// Keys in memory that somebody else owns.
struct Keys: @unchecked Sendable {
  // Unsafe: whoever makes a value keeps its memory alive and unchanged while it is used.
  let kind: KeyKind
  let int64s: UnsafePointer<Int64>?
  let offsets: UnsafePointer<Int32>?
  let bytes: UnsafePointer<UInt8>?

  init(_ stream: KeyStream) {
    kind = stream.kind
    int64s = UnsafePointer(stream.int64s.baseAddress)
    offsets = UnsafePointer(stream.offsets.baseAddress)
    bytes = UnsafePointer(stream.bytes.baseAddress)
  }

  init(int64s: UnsafePointer<Int64>) {
    kind = .int64
    self.int64s = int64s
    offsets = nil
    bytes = nil
  }

  init(offsets: UnsafePointer<Int32>, bytes: UnsafePointer<UInt8>) {
    kind = .string
    int64s = nil
    self.offsets = offsets
    self.bytes = bytes
  }

  /// The bytes of string key `i`.
  @inline(__always)
  func string(_ i: Int) -> UnsafeRawBufferPointer {
    let start = Int(offsets.unsafelyUnwrapped[i])
    let end = Int(offsets.unsafelyUnwrapped[i + 1])
    return UnsafeRawBufferPointer(start: bytes.unsafelyUnwrapped + start, count: end - start)
  }

  /// Lends some of the keys as a batch.
  func withBatch(
    _ range: Range<Int>, _ body: (borrowing IDBatch) throws -> Void
  ) rethrows {
    switch kind {
    case .int64:
      let ids = UnsafeBufferPointer(start: int64s! + range.lowerBound, count: range.count)
      try body(IDBatch(Span(_unsafeElements: ids)))
    case .string:
      let ends = UnsafeBufferPointer(start: offsets! + range.lowerBound, count: range.count + 1)
      let bytes = UnsafeRawBufferPointer(start: bytes, count: Int(ends[range.count]))
      try body(
        IDBatch(
          offsets: Span(_unsafeElements: ends), bytes: RawSpan(_unsafeBytes: bytes)))
    }
  }
}

extension KeyStream {
  /// Lends some of the keys as a batch.
  func withBatch(
    _ range: Range<Int>, _ body: (borrowing IDBatch) throws -> Void
  ) rethrows {
    try Keys(self).withBatch(range, body)
  }
}
