import CKernels

/// Adagrad with one accumulator a row: almost no memory for state.
///
/// `s += mean(g*g); w -= lr/(sqrt(s) + epsilon) * g`, the arithmetic of FBGEMM's
/// `EXACT_ROWWISE_ADAGRAD`, which TorchRec uses (without weight decay). The sum of squares runs in
/// a fixed order of 16 lanes, so that it has the same bits on every machine; FBGEMM's order depends
/// on the device, so that its results differ in the last bits.
/// State: one float a row, `s`.
public struct RowWiseAdagrad: Optimizer, RowOptimizer, Hashable {
  /// The step size; 0.01 unless given, as in FBGEMM.
  public var learningRate: Float
  /// What `s` starts from; at least 0.
  public let initialAccumulator: Float
  /// Keeps the division finite; at least 0, and not 0 if `initialAccumulator` is.
  public let epsilon: Float

  /// Row-wise Adagrad with the defaults of FBGEMM.
  public init(
    learningRate: Float = 0.01, initialAccumulator: Float = 0, epsilon: Float = 1e-10
  ) {
    self.learningRate = learningRate
    self.initialAccumulator = initialAccumulator
    self.epsilon = epsilon
  }

  /// `rowWiseAdagrad`.
  public var name: String { "rowWiseAdagrad" }

  /// `initialAccumulator`, `epsilon`.
  public var hyperparameters: [Hyperparameter] {
    [
      Hyperparameter(name: "initialAccumulator", value: initialAccumulator),
      Hyperparameter(name: "epsilon", value: epsilon),
    ]
  }

  /// 1.
  public func slotCount(dimension: Int) -> Int { 1 }

  /// Sets the float to `initialAccumulator`.
  public func initializeSlots(_ slots: inout MutableSpan<Float>, dimension: Int) {
    slots.update(repeating: initialAccumulator)
  }

  /// One step on one row.
  public func update(
    vector: inout MutableSpan<Float>, slots: inout MutableSpan<Float>, gradient: Span<Float>,
    learningRate: Float
  ) {
    updateRow(vector: &vector, slots: &slots, gradient: gradient, learningRate: learningRate)
  }

  package func update(
    rows: UnsafeBufferPointer<UnsafeMutablePointer<Float>>,
    gradients: UnsafePointer<UnsafePointer<Float>>,
    dimension: Int, learningRate: Float
  ) {
    guard let start = rows.baseAddress else { return }
    ck_rowwise_adagrad(start, gradients, rows.count, dimension, learningRate, epsilon)
  }

  package func validate() throws(EmbeddingError) {
    try require(
      initialAccumulator >= 0 && initialAccumulator.isFinite, "initialAccumulator",
      initialAccumulator, "it must be finite and at least 0")
    try require(
      epsilon >= 0 && epsilon.isFinite && (epsilon > 0 || initialAccumulator > 0), "epsilon",
      epsilon, "it must be finite, at least 0, and above 0 if initialAccumulator is 0")
  }
}

extension Optimizer where Self == RowWiseAdagrad {
  /// See ``RowWiseAdagrad``.
  public static func rowWiseAdagrad(
    learningRate: Float = 0.01, initialAccumulator: Float = 0, epsilon: Float = 1e-10
  ) -> RowWiseAdagrad {
    RowWiseAdagrad(
      learningRate: learningRate, initialAccumulator: initialAccumulator, epsilon: epsilon)
  }
}
