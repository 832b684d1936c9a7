import Embeddings

/// What training must know of a text beforehand, found by one pass that stores nothing: the linear
/// decay of the learning rate needs its length, and a resumed run must find the same text.
struct CorpusSummary: Sendable, Hashable {
  /// Words of one pass over the text.
  var words = 0
  /// Batches of one pass over the text.
  var batches = 0
  /// A hash of the words and of where the sentences end.
  var fingerprint: UInt64 = 0

  init(of path: String, layout: CorpusLayout) throws(EmbeddingError) {
    guard path != "-" else {
      throw EmbeddingError(
        .invalidArgument,
        "The text is read several times, so it cannot come from standard input; name a file.")
    }
    let reader = try CorpusReader(path: path, layout: layout)
    var batch = WordBatch()
    while try reader.next(&batch) {
      words += batch.count
      batches += 1
      for part in [
        batch.words.bytes.withUnsafeBytes { xxh3($0) },
        batch.words.offsets.withUnsafeBytes { xxh3($0) },
        batch.sentenceEnds.withUnsafeBytes { xxh3($0) },
      ] {
        fingerprint = mix64(fingerprint &* 31 &+ part)
      }
    }
    guard words > 0 else {
      throw EmbeddingError(.malformedInput, "\(path) has no words to train on.")
    }
  }
}
