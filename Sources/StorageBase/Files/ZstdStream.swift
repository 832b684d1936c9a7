import CZstd

/// Decompresses a sequence of Zstandard frames as it is read.
///
/// The window is bounded to 128 MiB, as in the `zstd` tool: a frame cannot make us allocate more.
final class ZstdStream {
  static let magic: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD]
  private static let windowLogMax: Int32 = 27

  private let context: OpaquePointer
  private var input: [UInt8]
  private var start = 0
  private var end: Int
  /// Whether a frame has begun and not ended.
  private var insideFrame = false

  /// Starts with compressed bytes that were read already.
  init(_ first: ArraySlice<UInt8>) {
    guard let context = ZSTD_createDCtx() else { fatalError("out of memory") }
    self.context = context
    ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, Self.windowLogMax)
    input = Array(first)
    end = input.count
    input.append(contentsOf: repeatElement(0, count: max(0, ZSTD_DStreamInSize() - input.count)))
  }

  deinit { ZSTD_freeDCtx(context) }

  /// Decompresses up to `output.count` bytes, calling `more` for compressed bytes; 0 at the end.
  /// `offset` is that of the decompressed content, for messages.
  func read(
    into output: UnsafeMutableRawBufferPointer, name: String, at offset: Int,
    more: (UnsafeMutableRawBufferPointer) throws(EmbeddingError) -> Int
  ) throws(EmbeddingError) -> Int {
    var produced = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
    while produced.pos == 0 {
      if start == end {
        // Even without further input the context may hold decompressed bytes: they come out below.
        start = 0
        end = try input.refill(more)
        if end == 0, !insideFrame { return 0 }
      }
      let before = start
      let status = input.withUnsafeBytes { bytes in
        var consumed = ZSTD_inBuffer(src: bytes.baseAddress, size: end, pos: start)
        let status = ZSTD_decompressStream(context, &produced, &consumed)
        start = consumed.pos
        return status
      }
      if ZSTD_isError(status) != 0 {
        let reason = String(cString: ZSTD_getErrorName(status))
        throw EmbeddingError(
          .malformedInput,
          "\(name), byte \(offset) of the decompressed content: the Zstandard data cannot be "
            + "decompressed from here on: \(reason).")
      }
      insideFrame = status != 0
      if start == before, produced.pos == 0, end == 0 {
        throw EmbeddingError(
          .malformedInput,
          "\(name), byte \(offset) of the decompressed content: the Zstandard data ends within a "
            + "frame; the file is cut short.")
      }
    }
    return produced.pos
  }
}

extension [UInt8] {
  /// Lends the whole array to a read, and returns what the read returned.
  fileprivate mutating func refill(
    _ read: (UnsafeMutableRawBufferPointer) throws(EmbeddingError) -> Int
  ) throws(EmbeddingError) -> Int {
    var outcome: Result<Int, EmbeddingError> = .success(0)
    withUnsafeMutableBytes { bytes in
      outcome = Result { () throws(EmbeddingError) -> Int in try read(bytes) }
    }
    return try outcome.get()
  }
}
