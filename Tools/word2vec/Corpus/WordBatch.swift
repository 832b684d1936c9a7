import Embeddings

/// Consecutive words of the corpus, in whole sentences: what one training step works on.
struct WordBatch: Sendable {
  /// The words as they stand in the text, each one an id.
  var words = IDColumn(type: .bytes)
  /// Where each sentence ends: the position after its last word, rising.
  var sentenceEnds: [Int] = []

  /// The number of words.
  var count: Int { words.count }

  /// The number of words in the sentence that has not ended yet.
  var openWords: Int { words.count - (sentenceEnds.last ?? 0) }

  /// Ends the sentence, unless it has no words.
  mutating func endSentence() {
    if openWords > 0 { sentenceEnds.append(words.count) }
  }

  /// Empties the batch, keeping its memory.
  mutating func removeAll() {
    words.removeAll()
    sentenceEnds.removeAll(keepingCapacity: true)
  }
}
