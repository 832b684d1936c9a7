/// Where rows start in the training workloads, and the gradients that they get.
public enum TrainingData {
  /// The learning rate of Adagrad there; its accumulators start from 0.1, and epsilon is 1e-10.
  public static let learningRate: Float = 0.05
  /// What accumulators start from.
  public static let initialAccumulator: Float = 0.1
  /// Keeps Adagrad's division finite.
  public static let epsilon: Float = 1e-10
  /// Rows start uniformly between plus and minus this.
  public static let initialRange: Float = 0.05

  /// The row of the noise table that the `j`-th distinct key of step `step` (from 0 on) adds.
  @inline(__always)
  public static func noiseRow(_ j: Int, step: Int, batchSize: Int) -> Int {
    j + (step * 977) % batchSize
  }

  /// The noise that is added to gradients: two rows for each id of a batch, row-major.
  ///
  /// The memory is the caller's to free.
  public static func noise(
    batchSize: Int, dimension: Int
  ) -> UnsafeMutableBufferPointer<Float> {
    let random = RandomStream(0x6AD)
    let half = dimension / 2
    let noise = UnsafeMutableBufferPointer<Float>.allocate(capacity: 2 * batchSize * dimension)
    for i in 0..<2 * batchSize * half {
      let (a, b) = plusMinus(random[UInt64(i)], 0.01)
      noise.initializeElement(at: 2 * i, to: a)
      noise.initializeElement(at: 2 * i + 1, to: b)
    }
    if batchSize == 8_192 && dimension == 64 {
      precondition(
        fnv1a(UnsafeRawBufferPointer(noise)) == 0x2568_b5b9_773f_5b11,
        "the noise of the gradients differs from its definition")
    }
    return noise
  }

  /// Writes the vector that the row of Int64 key `key` starts from.
  public static func writeInitialVector(
    key: Int64, dimension: Int, to vector: UnsafeMutablePointer<Float>
  ) {
    for i in 0..<dimension / 2 {
      let hash = mix64(UInt64(bitPattern: key) &+ UInt64(i + 1) &* golden)
      let (a, b) = plusMinus(hash, initialRange)
      (vector + 2 * i).initialize(to: a)
      (vector + 2 * i + 1).initialize(to: b)
    }
  }
}
