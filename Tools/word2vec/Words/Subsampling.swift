import Embeddings

/// How likely an occurrence of a word is trained on: frequent words are thinned out.
///
/// A word that makes up the share `f` of the text is kept with probability
/// `(sqrt(f/t) + 1) * t/f`, at most 1, as in word2vec.c and gensim. (Mikolov et al. 2013, *Distributed
/// Representations of Words and Phrases and their Compositionality*, section 2.3, has `sqrt(t/f)`.)
struct Subsampling: Sendable {
  /// The share of the text above which a word is thinned out; 0 keeps everything.
  let threshold: Double
  /// Words that occur less often are not trained on at all.
  let minimumCount: UInt64
  /// The number of words that frequencies are out of.
  let totalWords: UInt64

  /// The probability with which an occurrence of a word of this frequency is kept.
  func keepProbability(_ metadata: RowMetadata) -> Double {
    guard metadata.isPresent, metadata.frequency >= max(minimumCount, 1) else { return 0 }
    guard threshold > 0 else { return 1 }
    let expected = threshold * Double(totalWords)
    let frequency = Double(metadata.frequency)
    return min(1, ((frequency / expected).squareRoot() + 1) * expected / frequency)
  }
}
