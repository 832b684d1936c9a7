#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Rows of 32 floats: what one batch of skip-gram works on.
typealias Row = SIMD32<Float>

/// The arithmetic of skip-gram with negative sampling, on rows in memory.
///
/// Source: Mikolov et al., *Distributed Representations of Words and Phrases and their
/// Compositionality* (2013), equation 4.
enum SkipGram {
  static func sigmoid(_ x: Float) -> Float { 1 / (1 + exp(-x)) }

  /// `-log sigmoid(x)`, without overflow.
  static func loss(_ x: Float) -> Float {
    x > 0 ? log1p(exp(-x)) : log1p(exp(x)) - x
  }

  @inline(__always)
  static func dot(_ a: Row, _ b: Row) -> Float {
    let product = a * b
    let half = product.lowHalf + product.highHalf
    let quarter = half.lowHalf + half.highHalf
    return quarter.sum()
  }

  /// One step of descent on a context row, and its share of the step on the input row.
  @inline(__always)
  static func step(
    input: Row, inputStep: inout Row, context: inout Row, isPositive: Bool, rate: Float
  ) {
    let scale = ((isPositive ? 1 : 0) - sigmoid(dot(input, context))) * rate
    inputStep += scale * context
    context += scale * input
  }

  /// The rows of a row-major buffer.
  static func rows(_ floats: [Float]) -> [Row] {
    (0..<floats.count / Row.scalarCount).map { Row(floats[$0 * 32..<$0 * 32 + 32]) }
  }

  /// What took `before` to `after`, as gradients at a learning rate of 1, row-major.
  static func gradients(from before: [Row], to after: [Row]) -> [Float] {
    var floats: [Float] = []
    floats.reserveCapacity(before.count * Row.scalarCount)
    for (before, after) in zip(before, after) {
      let difference = before - after
      for i in 0..<Row.scalarCount { floats.append(difference[i]) }
    }
    return floats
  }
}

/// Calls `body` with the positions of each word and each of its neighbors, in a window whose reach is
/// drawn for each word, as in word2vec.c.
@inline(__always)
func forEachPair(
  of documents: [[Int32]], window: Int, _ generator: inout Generator,
  _ body: (_ input: Int32, _ context: Int32, inout Generator) -> Void
) {
  for document in documents {
    for center in document.indices {
      let reach = 1 + generator.number(below: window)
      for other in max(0, center - reach)..<min(document.count, center + reach + 1)
      where other != center {
        body(document[other], document[center], &generator)
      }
    }
  }
}
