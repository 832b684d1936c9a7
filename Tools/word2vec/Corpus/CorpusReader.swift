import Embeddings

/// How a text is cut into batches; the same text and layout always give the same batches.
struct CorpusLayout: Sendable, Hashable {
  /// A batch ends with the first sentence after which it has so many words.
  var batchWords = 10_000
  /// A line of more words counts as several sentences.
  var sentenceWords = 10_000
}

/// Reads one pass over a text, plain or Zstandard: words separated by white space, one sentence a
/// line. Words are bytes; nothing is folded or decoded.
struct CorpusReader {
  private let source: ByteSource
  private let layout: CorpusLayout

  /// A word must fit into so many bytes.
  private static let chunk = 1 << 16

  init(path: String, layout: CorpusLayout) throws(EmbeddingError) {
    source = try ByteSource(path: path)
    self.layout = layout
  }

  /// Fills the emptied `batch`; returns false where the text has no more words.
  func next(_ batch: inout WordBatch) throws(EmbeddingError) -> Bool {
    batch.removeAll()
    var isComplete = false
    while !isComplete {
      let (used, available) = try source.peek(Self.chunk) {
        (bytes) throws(EmbeddingError) -> (Int, Int) in
        let used = take(bytes, into: &batch, isComplete: &isComplete)
        return (used, bytes.count)
      }
      source.consume(used)
      if isComplete { break }
      if available < Self.chunk {
        batch.endSentence()
        break
      }
      guard used > 0 else {
        throw source.malformed("a word has more than \(Self.chunk) bytes; is this a text file?")
      }
    }
    return batch.count > 0
  }

  /// Takes words from `bytes` until the batch is complete; returns the number of bytes used.
  ///
  /// A word that touches the end of a full chunk may go on behind it, and is left for the next one.
  private func take(
    _ bytes: Span<UInt8>, into batch: inout WordBatch, isComplete: inout Bool
  ) -> Int {
    bytes.withUnsafeBufferPointer { bytes in
      let isLast = bytes.count < Self.chunk
      var position = 0
      while position < bytes.count {
        if bytes[position].isSpace {
          let endsLine = bytes[position] == 0x0A
          position += 1
          if endsLine { batch.endSentence() }
        } else {
          var end = position + 1
          while end < bytes.count && !bytes[end].isSpace { end += 1 }
          if end == bytes.count && !isLast { return position }
          // Unsafe: the word is lent to the column, which copies it.
          batch.words.append(
            bytes: UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[position..<end])))
          position = end
          if batch.openWords == layout.sentenceWords { batch.endSentence() }
        }
        if batch.count >= layout.batchWords && batch.openWords == 0 {
          isComplete = true
          return position
        }
      }
      return position
    }
  }
}

extension UInt8 {
  /// Whether the byte is ASCII white space.
  fileprivate var isSpace: Bool { self == 0x20 || (self >= 0x09 && self <= 0x0D) }
}
