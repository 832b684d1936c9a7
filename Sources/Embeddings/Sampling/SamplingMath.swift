#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The log-uniform (Zipfian) distribution over ranks `0 ..< range`, as in TensorFlow's
/// `LogUniformSampler`.
package struct LogUniform: Sendable {
  private let range: Int
  private let logRange: Double

  /// The distribution over `0 ..< range`, which must not be empty.
  package init(range: Int) {
    precondition(range > 0, "a log-uniform distribution needs a range")
    self.range = range
    logRange = log1p(Double(range))
  }

  /// `ln((k + 2) / (k + 1)) / ln(range + 1)`.
  package func probability(_ rank: Int) -> Double { log1p(1 / (Double(rank) + 1)) / logRange }

  /// A rank.
  package func draw(using generator: inout Xoshiro256) -> Int {
    // exp may round up to range + 1, whence the remainder.
    (Int(exp(generator.unit() * logRange)) - 1) % range
  }
}

/// The weight `frequency^distortion` of a row; 0 for a row of frequency 0.
///
/// The usual distortions need no `pow`, which keeps them quick and the same on every platform.
func unigramWeight(_ frequency: UInt64, distortion: Float) -> Double {
  guard frequency > 0 else { return 0 }
  let f = Double(frequency)
  switch distortion {
  case 0: return 1
  case 0.5: return f.squareRoot()
  case 0.75: return f.squareRoot() * f.squareRoot().squareRoot()
  case 1: return f
  default: return pow(f, Double(distortion))
  }
}

/// How often something of probability `p` in one draw is expected among the negatives, after
/// `tries` draws, those thrown away included (TensorFlow's `ExpectedCountHelper`).
package func expectedDraws(of p: Double, tries: Int, isDistinct: Bool) -> Double {
  // log1p(-1) is -infinity, and 0 * -infinity is not a number: hence at least one try.
  let tries = Double(max(tries, 1))
  return isDistinct ? -expm1(tries * log1p(-min(p, 1))) : p * tries
}

/// The number of draws up to and including the first success, of probability `p` each.
func geometricDraw(_ p: Double, using generator: inout Xoshiro256) -> Double {
  guard p < 1 else { return 1 }
  // 1 - unit() lies in (0, 1]: its logarithm is finite.
  return 1 + (log(1 - generator.unit()) / log1p(-p)).rounded(.down)
}

/// A draw from the exponential distribution of mean 1.
func exponentialDraw(using generator: inout Xoshiro256) -> Double { -log(1 - generator.unit()) }
