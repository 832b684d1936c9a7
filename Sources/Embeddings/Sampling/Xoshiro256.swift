import StorageBase

/// xoshiro256** 1.0 (Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators", 2018),
/// its state filled by SplitMix64 as its authors advise: the generator of all sampling.
package struct Xoshiro256: RandomNumberGenerator, Sendable {
  private var s0, s1, s2, s3: UInt64

  /// The generator whose state is the first four outputs of SplitMix64 from `seed`.
  package init(seed: UInt64) {
    s0 = mix64(seed &+ golden)
    s1 = mix64(seed &+ golden &* 2)
    s2 = mix64(seed &+ golden &* 3)
    s3 = mix64(seed &+ golden &* 4)
  }

  /// Generator number `stream` of those that belong to `seed`; each is a sequence of its own.
  package init(seed: UInt64, stream: UInt64) {
    self.init(seed: mix64(seed &+ mix64((stream &+ 1) &* golden)))
  }

  /// 64 random bits.
  package mutating func next() -> UInt64 {
    let x = s1 &* 5
    let result = ((x << 7) | (x >> 57)) &* 9
    let t = s1 << 17
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= t
    s3 = (s3 << 45) | (s3 >> 19)
    return result
  }

  /// A multiple of 2^-53 in `0 ..< 1`, all alike.
  package mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// An integer in `0 ..< bound`, all exactly alike (Lemire, "Fast Random Integer Generation in an
  /// Interval", 2019). Written out here because the standard library does not promise its method.
  package mutating func next(below bound: Int) -> Int {
    precondition(bound > 0, "a draw needs at least one thing to draw from")
    let bound = UInt64(bound)
    var product = next().multipliedFullWidth(by: bound)
    if product.low < bound {
      let threshold = (0 &- bound) % bound
      while product.low < threshold { product = next().multipliedFullWidth(by: bound) }
    }
    return Int(product.high)
  }
}
