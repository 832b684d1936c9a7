#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The loss of one pair and its gradient: skip-gram with negative sampling.
///
/// For an input vector `v`, the context vector `u` of the word to be predicted (label 1) and those
/// of the negatives (label 0), the loss is the sum of `-log sigmoid(u.v)` and `-log sigmoid(-u.v)`;
/// its gradients are `(sigmoid(u.v) - label) * u` and `* v`.
///
/// Source: Mikolov et al. 2013, *Distributed Representations of Words and Phrases and their
/// Compositionality*, equation 4. The sigmoid is word2vec.c's table of 1,000 entries over -6...6,
/// cut off beyond.
struct SkipGram {
  /// Floats in each vector.
  let dimension: Int
  private let sigmoids: [Float]
  private let losses: [Float]

  private static let limit: Float = 6
  private static let entries = 1000

  init(dimension: Int) {
    self.dimension = dimension
    let dots = (0..<Self.entries).map {
      (Float($0) / Float(Self.entries) * 2 - 1) * Self.limit
    }
    sigmoids = dots.map { 1 / (1 + exp(-$0)) }
    losses = sigmoids.map { -log($0) }
  }

  /// The sigmoid of `dot`, and the loss `-log` of it.
  @inline(__always)
  private func sigmoid(_ dot: Float) -> (value: Float, loss: Float) {
    if dot >= Self.limit { return (1, 0) }
    if dot <= -Self.limit { return (0, -dot) }
    let scale = Float(Self.entries) / (2 * Self.limit)
    let entry = min(Int((dot + Self.limit) * scale), Self.entries - 1)
    return (sigmoids[entry], losses[entry])
  }

  /// Takes one step on a context vector: adds `-rate * gradient` to `contextStep` (which may be
  /// `context` itself) and to `inputStep`, and returns the loss.
  ///
  /// All are `dimension` floats; `inputStep` is memory of its own, so that all contexts of a pair
  /// see the same input.
  @inline(__always)
  func step(
    input: UnsafePointer<Float>, inputStep: UnsafeMutablePointer<Float>,
    context: UnsafePointer<Float>, contextStep: UnsafeMutablePointer<Float>, isPositive: Bool,
    rate: Float
  ) -> Float {
    let dot = dotProduct(input, context)
    let (value, loss) = sigmoid(isPositive ? dot : -dot)
    // 1 - sigmoid(x) for the positive; -sigmoid(x) = sigmoid(-x) - 1 for a negative.
    let scale = (isPositive ? 1 - value : value - 1) * rate
    var i = 0
    while i + 16 <= dimension {
      let u = wide(context + i)
      let v = wide(input + i)
      store(wide(inputStep + i) + scale * u, to: inputStep + i)
      store(wide(contextStep + i) + scale * v, to: contextStep + i)
      i += 16
    }
    while i + 4 <= dimension {
      let u = narrow(context + i)
      let v = narrow(input + i)
      store(narrow(inputStep + i) + scale * u, to: inputStep + i)
      store(narrow(contextStep + i) + scale * v, to: contextStep + i)
      i += 4
    }
    while i < dimension {
      let u = context[i]
      let v = input[i]
      inputStep[i] += scale * u
      contextStep[i] += scale * v
      i += 1
    }
    return loss
  }

  @inline(__always)
  private func dotProduct(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>) -> Float {
    // Sixteen sums side by side: additions that wait for each other would set the pace.
    var sums = SIMD16<Float>.zero
    var i = 0
    while i + 16 <= dimension {
      sums += wide(a + i) * wide(b + i)
      i += 16
    }
    var rest = SIMD4<Float>.zero
    while i + 4 <= dimension {
      rest += narrow(a + i) * narrow(b + i)
      i += 4
    }
    let eight = sums.lowHalf + sums.highHalf
    var sum = (eight.lowHalf + eight.highHalf + rest).sum()
    while i < dimension {
      sum += a[i] * b[i]
      i += 1
    }
    return sum
  }

  /// Adds `steps` to `vector`.
  @inline(__always)
  func add(_ steps: UnsafePointer<Float>, to vector: UnsafeMutablePointer<Float>) {
    var i = 0
    while i + 16 <= dimension {
      store(wide(vector + i) + wide(steps + i), to: vector + i)
      i += 16
    }
    while i < dimension {
      vector[i] += steps[i]
      i += 1
    }
  }

  // Unsafe: rows lie at any multiple of 4 bytes in contiguous memory, so loads are unaligned.

  @inline(__always)
  private func wide(_ floats: UnsafePointer<Float>) -> SIMD16<Float> {
    UnsafeRawPointer(floats).loadUnaligned(as: SIMD16<Float>.self)
  }

  @inline(__always)
  private func narrow(_ floats: UnsafePointer<Float>) -> SIMD4<Float> {
    UnsafeRawPointer(floats).loadUnaligned(as: SIMD4<Float>.self)
  }

  @inline(__always)
  private func store<V: SIMD<Float>>(_ value: V, to floats: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(floats).storeBytes(of: value, as: V.self)
  }
}
