import StorageBase

/// Words of a file to ids of the type wanted.
struct IDParser {
  let type: IDType
  let requiresUTF8: Bool

  /// Appends `word`; `malformed` makes an error of a reason, with the place in the file.
  func append(
    _ word: Span<UInt8>, to ids: inout IDColumn, malformed: (String) -> EmbeddingError
  ) throws(EmbeddingError) {
    guard !word.isEmpty else { throw malformed("the id is empty.") }
    switch type {
    case .int64:
      guard let id = word.decimalInteger() else {
        throw malformed(
          "the id \(word.excerpt()) is not a 64-bit integer; read the ids as byte strings instead.")
      }
      ids.append(id)
    case .bytes:
      if requiresUTF8, (try? UTF8Span(validating: word)) == nil {
        throw malformed("the id \(word.excerpt()) is not valid UTF-8.")
      }
      guard word.count <= Int(Int32.max) - ids.bytes.count else {
        throw malformed("a batch holds at most 2^31 - 1 bytes of ids; read fewer rows at a time.")
      }
      word.withUnsafeBytes { ids.append(bytes: $0) }
    }
  }
}

/// Appends id `row` as a word of the text formats: no whitespace, so that every reader finds its
/// end.
func appendWord(
  _ ids: borrowing IDColumn, _ row: Int, to output: inout [UInt8]
) throws(EmbeddingError) {
  switch ids.type {
  case .int64:
    var text = String(ids.int64s[row])
    text.withUTF8 { output.append(contentsOf: $0) }
  case .bytes:
    let word = ids.bytes[Int(ids.offsets[row])..<Int(ids.offsets[row + 1])]
    guard !word.isEmpty, !word.contains(where: isWhitespace) else {
      throw EmbeddingError(
        .invalidArgument,
        "The id '\(String(decoding: word, as: UTF8.self))' is empty or has whitespace in it, which "
          + "formats of words cannot hold; write npy or safetensors instead.")
    }
    output.append(contentsOf: word)
  }
}

/// ASCII whitespace: what the readers of text formats split at or strip.
private func isWhitespace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
