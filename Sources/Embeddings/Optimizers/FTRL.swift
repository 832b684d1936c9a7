import CKernels

/// FTRL-Proximal: Adagrad's step sizes, with an L1 term that sets weak weights to exactly 0.
///
/// The arithmetic of TensorFlow's `ResourceSparseApplyFtrlV2` at `lr_power` -0.5, the only power
/// supported (and TensorFlow's default):
///
///     n' = n + g*g
///     z += (g + 2*l2Shrinkage*w) - (sqrt(n') - sqrt(n))/lr * w
///     w  = abs(z) <= l1 ? 0 : (sign(z)*l1 - z)/(sqrt(n')/lr + 2*l2)
///
/// State: two floats an element, all `n` first (from `initialAccumulator`), then all `z` (from 0).
/// Since `z` starts from 0, the first step forgets most of a row's initial vector, as it does in
/// TensorFlow. The learning rate must not be 0.
///
/// McMahan et al.: *Ad Click Prediction: a View from the Trenches* (2013), algorithm 1.
public struct FTRL: Optimizer, RowOptimizer, Hashable {
  /// The step size; 0.001 unless given, as in Keras; above 0.
  public var learningRate: Float
  /// The strength of the L1 term; at least 0.
  public let l1: Float
  /// The strength of the L2 term; at least 0.
  public let l2: Float
  /// The strength of the L2 term on the gradient (FTRL V2); at least 0.
  public let l2Shrinkage: Float
  /// What `n` starts from; at least 0.
  public let initialAccumulator: Float

  /// FTRL with the defaults of TensorFlow: no regularization.
  public init(
    learningRate: Float = 0.001, l1: Float = 0, l2: Float = 0, l2Shrinkage: Float = 0,
    initialAccumulator: Float = 0.1
  ) {
    self.learningRate = learningRate
    self.l1 = l1
    self.l2 = l2
    self.l2Shrinkage = l2Shrinkage
    self.initialAccumulator = initialAccumulator
  }

  /// `ftrl`.
  public var name: String { "ftrl" }

  /// `l1`, `l2`, `l2Shrinkage`, `initialAccumulator`.
  public var hyperparameters: [Hyperparameter] {
    [
      Hyperparameter(name: "l1", value: l1),
      Hyperparameter(name: "l2", value: l2),
      Hyperparameter(name: "l2Shrinkage", value: l2Shrinkage),
      Hyperparameter(name: "initialAccumulator", value: initialAccumulator),
    ]
  }

  /// `2 * dimension`.
  public func slotCount(dimension: Int) -> Int { 2 * dimension }

  /// Sets the first `dimension` floats (`n`) to `initialAccumulator`, the others (`z`) to 0.
  public func initializeSlots(_ slots: inout MutableSpan<Float>, dimension: Int) {
    slots.update(repeating: 0)
    for i in 0..<dimension { slots[i] = initialAccumulator }
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
    ck_ftrl(start, gradients, rows.count, dimension, learningRate, l1, l2, l2Shrinkage)
  }

  package func validate() throws(EmbeddingError) {
    try require(learningRate > 0, "learningRate", learningRate, "it must be above 0")
    for parameter in hyperparameters {
      try require(
        parameter.value >= 0 && parameter.value.isFinite, parameter.name, parameter.value,
        "it must be finite and at least 0")
    }
  }
}

extension Optimizer where Self == FTRL {
  /// See ``FTRL``.
  public static func ftrl(
    learningRate: Float = 0.001, l1: Float = 0, l2: Float = 0, l2Shrinkage: Float = 0,
    initialAccumulator: Float = 0.1
  ) -> FTRL {
    FTRL(
      learningRate: learningRate, l1: l1, l2: l2, l2Shrinkage: l2Shrinkage,
      initialAccumulator: initialAccumulator)
  }
}
