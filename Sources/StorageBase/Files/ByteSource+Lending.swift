#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

extension ByteSource {
  /// Lends up to `count` bytes without passing over them: fewer only where the content ends.
  package func peek<R>(
    _ count: Int, _ body: (Span<UInt8>) throws(EmbeddingError) -> R
  ) throws(EmbeddingError) -> R {
    let available = try fill(count)
    return try lend(min(count, available), body)
  }

  /// Lends the next `count` bytes and passes over them; nil where fewer are left.
  package func next<R>(
    _ count: Int, _ body: (Span<UInt8>) throws(EmbeddingError) -> R
  ) throws(EmbeddingError) -> R? {
    guard try fill(count) >= count else { return nil }
    let result = try lend(count, body)
    consume(count)
    return result
  }

  /// Lends the next line, without its end (LF or CR LF), and passes over it; nil at the end.
  ///
  /// A last line without an end counts as one. With `peeking` the line stays the next one.
  ///
  /// - Throws: ``EmbeddingError/Code/malformedInput`` for a line of more than `maximum` bytes.
  package func nextLine<R>(
    maximum: Int, peeking: Bool = false, _ body: (Span<UInt8>) throws(EmbeddingError) -> R
  ) throws(EmbeddingError) -> R? {
    let newline = try distance(to: 0x0A, maximum: maximum)
    let length = newline ?? (end - start)
    if newline == nil {
      if length > maximum {
        throw EmbeddingError(
          .malformedInput,
          "\(name), line \(lineNumber + 1): the line has more than \(maximum) bytes; "
            + "is this a text file?")
      }
      if length == 0 { return nil }
    }
    lineNumber += 1
    defer { if peeking { lineNumber -= 1 } }
    let endsInReturn = length > 0 && buffer[start + length - 1] == 0x0D
    let result = try lend(endsInReturn ? length - 1 : length, body)
    if !peeking { consume(newline == nil ? length : length + 1) }
    return result
  }

  /// The number of bytes before the next `byte`, if it stands within `maximum` bytes.
  package func distance(to byte: UInt8, maximum: Int) throws(EmbeddingError) -> Int? {
    var searched = 0
    while true {
      // memchr: lines are long, and this is the first pass over every byte of a text file.
      let found = buffer.withUnsafeBytes { bytes -> Int? in
        let rest = UnsafeRawBufferPointer(rebasing: bytes[(start + searched)..<end])
        guard let base = rest.baseAddress, let hit = memchr(base, Int32(byte), rest.count) else {
          return nil
        }
        return searched + (UnsafeRawPointer(hit) - base)
      }
      if let found { return found <= maximum ? found : nil }
      searched = end - start
      if searched > maximum { return nil }
      if try fill(searched + 1) == searched { return nil }
    }
  }

  /// An error about the line last lent.
  package func malformedLine(_ what: String) -> EmbeddingError {
    EmbeddingError(.malformedInput, "\(name), line \(lineNumber): \(what)")
  }

  /// An error about the bytes from `offset` on, or from the next byte on.
  package func malformed(at offset: Int? = nil, _ what: String) -> EmbeddingError {
    EmbeddingError(.malformedInput, "\(name), byte \(offset ?? self.offset): \(what)")
  }

  private func lend<R>(
    _ count: Int, _ body: (Span<UInt8>) throws(EmbeddingError) -> R
  ) throws(EmbeddingError) -> R {
    // The compiler cannot tie a span to a class property. The closure keeps `buffer` borrowed, so
    // that refilling it meanwhile is caught as an exclusivity violation.
    try buffer.withUnsafeBufferPointer { (bytes) throws(EmbeddingError) in
      try body(Span(_unsafeElements: bytes).extracting(start..<(start + count)))
    }
  }
}
