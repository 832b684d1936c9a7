import CKernels
import Embeddings
import Testing

/// The variants of the C kernels against one another and against plain Swift, bit for bit. The ones
/// that this machine cannot run are left out.
@Suite struct KernelTests {
  static let dimensions = Array(1...130) + [255, 256, 257, 1000]

  static let variants: [UInt32] = [ck_variant_baseline, ck_variant_avx2, ck_variant_avx512]
    .filter { ck_kernels_of($0) != nil }.map(\.rawValue)

  static func kernels(_ variant: UInt32) -> ck_kernels {
    ck_kernels_of(ck_variant(rawValue: variant))!.pointee
  }

  /// The steps that Adam's rows have made.
  private static let steps: [UInt32] = [
    0, 1, 2, 2, 999, 0x7F7F_FFFE, 0x7F7F_FFFF, 0x8000_0000, 0xBF80_0000, 0xFFFF_FFFF,
  ]

  /// Floats of many magnitudes, some zero, from a stream.
  static func floats(_ stream: UInt64, _ count: Int) -> [Float] {
    (0..<count).map { i in
      let h = mix64(mix64(stream) &+ UInt64(i + 1) &* golden)
      if h % 17 == 0 { return 0 }
      return Float(Int32(truncatingIfNeeded: h)) * 0x1p-31 * (h >> 60 == 0 ? 1e-4 : 1)
    }
  }

  private func bits(_ floats: [Float]) -> [UInt32] { floats.map(\.bitPattern) }

  private typealias Rows = UnsafePointer<UnsafeMutablePointer<Float>>
  private typealias Gradients = UnsafePointer<UnsafePointer<Float>>

  /// No multiple of four, which some kernels take together.
  private static let rows = 11

  /// Runs `body` on rows that stand at odd places in one array, and gives the array.
  private func withRows(
    dimension: Int, slots: Int, _ body: (Rows, Gradients) -> Void
  ) -> [Float] {
    let width = dimension + slots + 1
    var floats = Self.floats(1, Self.rows * width)
    // Accumulators are not negative; step counts are small, large, and twice the same.
    for i in floats.indices where i % width >= dimension + 1 { floats[i] = abs(floats[i]) }
    for (r, step) in Self.steps.enumerated() where slots == 2 * dimension + 1 {
      floats[(r + 1) * width - 1] = Float(bitPattern: step)
    }
    let gradients = Self.floats(2, Self.rows * dimension)
    floats.withUnsafeMutableBufferPointer { buffer in
      let rows = [2, 0, 1, 5, 6, 4, 3, 9, 10, 7, 8].map { buffer.baseAddress! + $0 * width + 1 }
      gradients.withUnsafeBufferPointer { gradients in
        let pointers = (0..<Self.rows).map { gradients.baseAddress! + $0 * dimension }
        rows.withUnsafeBufferPointer { rows in
          pointers.withUnsafeBufferPointer { body(rows.baseAddress!, $0.baseAddress!) }
        }
      }
    }
    return floats
  }

  /// All the steps of one variant at one dimension.
  private func steps(_ k: ck_kernels, _ d: Int) -> [[Float]] {
    [
      withRows(dimension: d, slots: 0) { k.sgd($0, $1, Self.rows, d, 0.1) },
      withRows(dimension: d, slots: d) { k.momentum($0, $1, Self.rows, d, 0.1, 0.9, 0) },
      withRows(dimension: d, slots: d) { k.momentum($0, $1, Self.rows, d, 0.1, 0.9, 1) },
      withRows(dimension: d, slots: d) { k.adagrad($0, $1, Self.rows, d, 0.1, 1e-7) },
      withRows(dimension: d, slots: 1) { k.rowwise_adagrad($0, $1, Self.rows, d, 0.1, 1e-10) },
      withRows(dimension: d, slots: 2 * d) { k.ftrl($0, $1, Self.rows, d, 0.1, 0.3, 0.1, 0.01) },
      withRows(dimension: d, slots: 2 * d + 1) {
        k.adam($0, $1, Self.rows, d, 0.1, 0.9, 0.999, 1e-8)
      },
    ]
  }

  @Test(arguments: variants) func everyOptimizerStepGivesTheSameBits(_ variant: UInt32) {
    let (baseline, kernels) = (Self.kernels(0), Self.kernels(variant))
    for d in Self.dimensions {
      for (a, b) in zip(steps(baseline, d), steps(kernels, d)) {
        #expect(bits(a) == bits(b), "dimension \(d)")
      }
    }
  }

  @Test(arguments: variants) func adagradEqualsPlainSwift(_ variant: UInt32) {
    let kernels = Self.kernels(variant)
    for d in Self.dimensions {
      let expected = withRows(dimension: d, slots: d) { rows, gradients in
        for r in 0..<Self.rows {
          for i in 0..<d {
            let g = gradients[r][i]
            rows[r][d + i] += g * g
            rows[r][i] -= 0.1 * g / (rows[r][d + i].squareRoot() + 1e-7)
          }
        }
      }
      let found = withRows(dimension: d, slots: d) {
        kernels.adagrad($0, $1, Self.rows, d, 0.1, 1e-7)
      }
      #expect(bits(found) == bits(expected), "dimension \(d)")
    }
  }

  /// A quotient must be a division's where it is made in another way, and where it cannot be.
  @Test(arguments: variants, [0.1, 1, 3e-5, 0.7, 0x1.fffffep-4, 1e-20, 1e9] as [Float])
  func ftrlEqualsPlainSwift(_ variant: UInt32, learningRate: Float) {
    let kernels = Self.kernels(variant)
    for d in [1, 7, 8, 20, 64, 130] {
      func step(_ body: (Rows, Gradients) -> Void) -> [Float] {
        withRows(dimension: d, slots: 2 * d) { rows, gradients in
          for r in 0..<Self.rows {
            rows[r][d] = .infinity
            rows[r][2 * d - 1] = 1e-30
          }
          body(rows, gradients)
        }
      }
      let expected = step { rows, gradients in
        for r in 0..<Self.rows {
          for i in 0..<d {
            let (w, n, z, g) = (rows[r][i], rows[r][d + i], rows[r][2 * d + i], gradients[r][i])
            let next = n + g * g
            let sigma = (next.squareRoot() - n.squareRoot()) / learningRate
            let linear = z + ((g + 2 * 0.01 * w) - sigma * w)
            let quotient =
              ((linear > 0 ? 0.3 : -0.3) - linear) / (next.squareRoot() / learningRate + 2 * 0.1)
            rows[r][i] = abs(linear) <= 0.3 ? 0 : quotient
            rows[r][d + i] = next
            rows[r][2 * d + i] = linear
          }
        }
      }
      let found = step {
        kernels.ftrl($0, $1, Self.rows, d, learningRate, 0.3, 0.1, 0.01)
      }
      // One NaN is as good as another.
      #expect(
        bits(found.map { $0.isNaN ? .nan : $0 }) == bits(expected.map { $0.isNaN ? .nan : $0 }),
        "dimension \(d)")
    }
  }

  @Test(arguments: variants) func adamTakesPowersByRepeatedSquaring(_ variant: UInt32) {
    func power(_ base: Double, _ exponent: UInt32) -> Double {
      var (result, square, rest) = (1.0, base, exponent)
      while rest != 0 {
        if rest & 1 == 1 { result *= square }
        square *= square
        rest >>= 1
      }
      return result
    }
    // With m and v at 1 and a gradient of 1, the vector falls by alpha/(1 + epsilon).
    var rows = Self.steps.map { [0, 1, 1, Float(bitPattern: $0)] as [Float] }.flatMap { $0 }
    let gradient: [Float] = [1]
    rows.withUnsafeMutableBufferPointer { rows in
      gradient.withUnsafeBufferPointer { gradient in
        let starts = Self.steps.indices.map { rows.baseAddress! + 4 * $0 }
        let gradients = Self.steps.map { _ in gradient.baseAddress! }
        Self.kernels(variant).adam(starts, gradients, starts.count, 1, 0.1, 0.9, 0.999, 1e-8)
      }
    }
    for (i, before) in Self.steps.enumerated() {
      // What no training writes, but a file may hold, stays as it is.
      let t = before < 0x7F7F_FFFF ? before + 1 : before
      let (power1, power2) = (power(Double(0.9 as Float), t), power(Double(0.999 as Float), t))
      let alpha = Float(Double(0.1 as Float) * (1 - power2).squareRoot() / (1 - power1))
      #expect(rows[4 * i] == -alpha / (1 + 1e-8), "step \(t)")
      #expect(rows[4 * i + 3].bitPattern == t)
    }
  }

  /// The documented order: 16 lanes, then halves on halves.
  private func dot(_ x: [Float], _ y: [Float]) -> Float {
    var lanes = [Float](repeating: 0, count: 16)
    for i in x.indices { lanes[i % 16] += x[i] * y[i] }
    for half in [8, 4, 2, 1] {
      for j in 0..<half { lanes[j] += lanes[j + half] }
    }
    return lanes[0]
  }

  @Test(arguments: variants) func dotProductsFollowTheFixedOrder(_ variant: UInt32) {
    let kernels = Self.kernels(variant)
    #expect(kernels.dot([0 as Float], [0 as Float], 0) == 0)
    for d in Self.dimensions {
      let query = Self.floats(3, d)
      let rows = (0..<7).map { Self.floats(4 + UInt64($0), d) }
      // Records of odd size, so that most rows are unaligned.
      let stride = 4 * d + 9
      var block = [UInt8](repeating: 0xFF, count: 7 * stride)
      for (r, row) in rows.enumerated() {
        row.withUnsafeBytes {
          block.replaceSubrange(r * stride + 3..<r * stride + 3 + 4 * d, with: $0)
        }
      }
      var scores = [Float](repeating: .nan, count: 7)
      block.withUnsafeBytes {
        kernels.dot_rows(query, $0.baseAddress! + 3, stride, 7, d, &scores)
      }
      #expect(bits(scores) == rows.map { dot(query, $0).bitPattern }, "dimension \(d)")
      #expect(kernels.dot(query, rows[0], d).bitPattern == scores[0].bitPattern)
      #expect(kernels.dot(query, query, d).bitPattern == dot(query, query).bitPattern)
    }
  }

  @Test(arguments: variants) func sumsAndGathersAreExact(_ variant: UInt32) {
    let kernels = Self.kernels(variant)
    for d in Self.dimensions {
      var (a, b) = (Self.floats(7, d), Self.floats(8, d))
      let expected = zip(a, b).map(+)
      kernels.add(&a, b, d)
      #expect(bits(a) == bits(expected))
      var output = [Float](repeating: .nan, count: 2 * d + 1)
      a.withUnsafeMutableBufferPointer { a in
        b.withUnsafeMutableBufferPointer { b in
          output.withUnsafeMutableBufferPointer { output in
            let rows = [UnsafePointer(b.baseAddress!), UnsafePointer(a.baseAddress!)]
            let outputs = [output.baseAddress!, output.baseAddress! + d]
            kernels.copy_rows(rows, outputs, 2, d)
          }
        }
      }
      #expect(bits(Array(output.dropLast())) == bits(b + a))
      #expect(output[2 * d].isNaN)
    }
  }

  @Test func streamedCopiesAreWholeWhereverTheyStand() {
    for count in Self.dimensions {
      let source = Self.floats(3, count + 1)
      for place in 0..<4 {
        var target = [Float](repeating: .nan, count: count + 5)
        source.withUnsafeBufferPointer { source in
          target.withUnsafeMutableBufferPointer { target in
            ck_stream(target.baseAddress! + place, source.baseAddress! + 1, count)
          }
        }
        ck_fence_streams()
        #expect(bits(Array(target[place..<place + count])) == bits(Array(source[1...])))
        #expect(
          target[..<place].allSatisfy(\.isNaN) && target[(place + count)...].allSatisfy(\.isNaN))
      }
    }
  }

  @Test(arguments: variants) func uniformFillsStopAtTheEnd(_ variant: UInt32) {
    let kernels = Self.kernels(variant)
    for d in Self.dimensions {
      var whole = [Float](repeating: .nan, count: d + 1)
      kernels.uniform(&whole, d, 42, 0.5, 1.5, -1, 2)
      #expect(whole[d].isNaN)
      let expected = (0..<d).map { i in
        let h = mix64(42 &+ UInt64(i / 2 + 1) &* golden)
        let x = 0.5 + Float(Int32(truncatingIfNeeded: i % 2 == 0 ? h : h >> 32)) * (1.5 / 0x1p31)
        return min(max(x, -1), 2)
      }
      #expect(bits(Array(whole.dropLast())) == bits(expected), "dimension \(d)")
    }
  }

  @Test func chosenVariantIsTheBestThatRuns() {
    #expect(ck_chosen_variant().rawValue == Self.variants.last)
  }
}
