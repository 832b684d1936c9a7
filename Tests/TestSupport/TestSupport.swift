import Glibc

/// An integer setting of a test run, from the environment: how many operations, which seed.
package func testSetting(_ name: String, default value: Int) -> Int {
  getenv(name).flatMap { Int(String(cString: $0)) } ?? value
}

/// A generator whose numbers follow from its seed (SplitMix64), so that a failure can be repeated.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// Starts the sequence of `seed`.
  package init(seed: UInt64) { state = seed }

  /// The next number.
  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// A float from -1 to 1.
  package mutating func float() -> Float { Float.random(in: -1...1, using: &self) }

  /// `count` floats from -1 to 1.
  package mutating func floats(_ count: Int) -> [Float] { (0..<count).map { _ in float() } }

  /// Whether something of probability `1 / n` happens.
  package mutating func oneIn(_ n: Int) -> Bool { Int.random(in: 0..<n, using: &self) == 0 }
}
