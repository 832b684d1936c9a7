import CKernels

extension Initializer {
  /// Writes the initial vector of `id` in a table whose seed is `seed`.
  ///
  /// The random kinds start from `state = idBits ^ mix64(seed)`, where `idBits` is an Int64 id's
  /// bit pattern, or the XXH3-64 of a byte-string id. `mix64(0)` is 0, so that seed 0 starts from
  /// the id itself.
  public func fill(_ vector: inout MutableSpan<Float>, seed: UInt64, id: EmbeddingID) {
    let bits = id.initializerBits
    vector.withUnsafeMutableBufferPointer { fill($0, seed: seed, idBits: bits) }
  }

  /// The initial vector of `id` in a table whose seed is `seed`, as a new array of `dimension`
  /// floats.
  public func vector(dimension: Int, seed: UInt64, id: EmbeddingID) -> [Float] {
    let bits = id.initializerBits
    return [Float](unsafeUninitializedCapacity: dimension) { buffer, count in
      fill(
        UnsafeMutableBufferPointer(rebasing: buffer[..<dimension]), seed: seed, idBits: bits)
      count = dimension
    }
  }

  /// Writes the initial vector of the id that `idBits` stands for; `vector` need not be
  /// initialized memory.
  package func fill(_ vector: UnsafeMutableBufferPointer<Float>, seed: UInt64, idBits: UInt64) {
    // Unsafe: called for each new row, on memory that the store lends for the call.
    guard let start = vector.baseAddress, vector.count > 0 else { return }
    let state = idBits ^ mix64(seed)
    switch kind {
    case .constant(let value):
      start.initialize(repeating: value, count: vector.count)
    case .uniform(let low, let high):
      ck_uniform(
        start, vector.count, state, low + (high - low) / 2, (high - low) / 2, low, high)
    case .normal(let mean, let deviation):
      for i in 0..<vector.count {
        let z = NormalQuantile.value(offset: Self.offset(state, i))
        (start + i).initialize(to: Float(Double(mean) + Double(deviation) * z))
      }
    case .truncatedNormal(let mean, let deviation):
      for i in 0..<vector.count {
        // The share of a normal distribution within two standard deviations.
        let within = 0.9544997361036416
        let z = NormalQuantile.value(offset: Self.offset(state, i) * within)
        let value = Float(Double(mean) + Double(deviation) * min(max(z, -2), 2))
        (start + i).initialize(to: value)
      }
    }
  }

  /// Element `i`'s uniform value, less one half: an odd multiple of 2^-53, strictly between -0.5
  /// and 0.5.
  private static func offset(_ state: UInt64, _ i: Int) -> Double {
    let hash = mix64(state &+ (UInt64(i) &+ 1) &* golden)
    return (Double(hash >> 12) + 0.5) * 0x1p-52 - 0.5
  }
}

extension EmbeddingID {
  /// What an initializer knows of the id: an Int64's bit pattern, or the XXH3-64 of the bytes.
  package var initializerBits: UInt64 {
    switch self {
    case .int64(let id): UInt64(bitPattern: id)
    case .bytes(let bytes): bytes.withUnsafeBytes { xxh3($0) }
    }
  }
}
