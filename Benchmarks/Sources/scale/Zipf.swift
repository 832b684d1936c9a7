#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Zipf-distributed ranks without a table of probabilities: rejection-inversion.
///
/// Source: Hormann and Derflinger, "Rejection-inversion to generate variates from monotone discrete
/// distributions" (1996).
struct Zipf {
  private let count: Double
  private let exponent: Double
  private let integralAtOne: Double
  private let integralAtEnd: Double
  private let threshold: Double
  private var state: UInt64

  init(count: Int, exponent: Double, seed: UInt64) {
    self.count = Double(count)
    self.exponent = exponent
    func integral(_ x: Double) -> Double { (pow(x, 1 - exponent) - 1) / (1 - exponent) }
    integralAtOne = integral(1.5) - 1
    integralAtEnd = integral(Double(count) + 0.5)
    let second = integral(2.5) - pow(2, -exponent)
    threshold = 2 - pow(second * (1 - exponent) + 1, 1 / (1 - exponent))
    state = seed
  }

  /// A rank from 0 on.
  mutating func next() -> Int {
    while true {
      let u = integralAtEnd + unit() * (integralAtOne - integralAtEnd)
      let x = pow(u * (1 - exponent) + 1, 1 / (1 - exponent))
      let k = min(max(x.rounded(), 1), count)
      let integral = (pow(k + 0.5, 1 - exponent) - 1) / (1 - exponent)
      if k - x <= threshold || u >= integral - pow(k, -exponent) { return Int(k) - 1 }
    }
  }

  private mutating func unit() -> Double {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return Double((z ^ (z >> 31)) >> 11) * 0x1p-53
  }
}
