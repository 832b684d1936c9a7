#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Row-major rows in memory, eight floats side by side.
struct Rows {
  typealias Piece = SIMD8<Float>
  /// Pieces in a row.
  static let width = 4
  /// Floats in a row.
  static let dimension = width * Piece.scalarCount

  private(set) var pieces: [Piece]

  init(_ floats: [Float]) {
    // Unsafe: a copy without a loop over scalars; an array's floats lie side by side.
    pieces = floats.withUnsafeBytes { bytes in
      (0..<floats.count / Piece.scalarCount).map {
        bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Piece>.size, as: Piece.self)
      }
    }
  }

  /// Lends the pieces, to be changed in place.
  mutating func withPieces(_ body: (UnsafeMutablePointer<Piece>) -> Void) {
    pieces.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
  }

  /// What took these rows to `after`, as gradients at a learning rate of 1.
  func gradients(to after: Rows) -> [Float] {
    let differences = zip(pieces, after.pieces).map { $0 - $1 }
    // Unsafe: as above.
    return differences.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
  }

  /// The dot product of row `a` and row `b` of `other`.
  func dot(_ a: Int, _ other: Rows, _ b: Int) -> Float {
    var sum = Piece()
    for i in 0..<Self.width {
      sum += pieces[a * Self.width + i] * other.pieces[b * Self.width + i]
    }
    return sum.sum()
  }
}

/// The arithmetic of skip-gram with negative sampling, on rows in memory.
///
/// Source: Mikolov et al., *Distributed Representations of Words and Phrases and their
/// Compositionality* (2013), equation 4.
enum SkipGram {
  /// `-log sigmoid(x)`, without overflow.
  static func loss(_ x: Float) -> Float {
    x > 0 ? log1p(exp(-x)) : log1p(exp(x)) - x
  }

  /// One step of descent on a context row, and its share of the step on the input row.
  @inline(__always)
  static func step(
    input: UnsafePointer<Rows.Piece>, inputStep: UnsafeMutablePointer<Rows.Piece>,
    context: UnsafeMutablePointer<Rows.Piece>, isPositive: Bool, rate: Float
  ) {
    var sum = Rows.Piece()
    for i in 0..<Rows.width { sum += input[i] * context[i] }
    let sigmoid = 1 / (1 + exp(-sum.sum()))
    let scale = ((isPositive ? 1 : 0) - sigmoid) * rate
    for i in 0..<Rows.width {
      inputStep[i] += scale * context[i]
      context[i] += scale * input[i]
    }
  }
}

/// Calls `body` with each word and each of its neighbors, in a window whose reach is drawn for each
/// word, as in word2vec.c.
@inline(__always)
func forEachPair(
  of documents: [[Int32]], window: Int, _ generator: inout Generator,
  _ body: (_ input: Int, _ context: Int, inout Generator) -> Void
) {
  for document in documents {
    for center in document.indices {
      let reach = 1 + generator.number(below: window)
      for other in max(0, center - reach)..<min(document.count, center + reach + 1)
      where other != center {
        body(Int(document[other]), Int(document[center]), &generator)
      }
    }
  }
}
