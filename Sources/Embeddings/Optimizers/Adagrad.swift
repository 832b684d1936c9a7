import CKernels

/// Adagrad: each element's step shrinks with the sum of its squared gradients.
///
/// `a += g*g; w -= lr*g/(sqrt(a) + epsilon)`, the arithmetic of TensorFlow's
/// `ResourceSparseApplyAdagradV2`, bit for bit, and of the Keras optimizer up to TensorFlow 2.10.
/// (Keras 2.11 and later take `sqrt(a + epsilon)`, which hardly differs; Keras 3 also adds the
/// squares of duplicates one by one to `a`, where here, as in TensorFlow's own optimizers, the
/// duplicates are summed first.) To continue a model of
/// - TensorFlow V1 (`tf.compat.v1.train.AdagradOptimizer`): `epsilon: 0`;
/// - PyTorch (`torch.optim.Adagrad`): `initialAccumulator: 0, epsilon: 1e-10`.
///
/// State: one float an element, `a`.
///
/// Duchi, Hazan, Singer: *Adaptive Subgradient Methods for Online Learning and Stochastic
/// Optimization* (2011).
public struct Adagrad: Optimizer, RowOptimizer, Hashable {
  /// The step size; 0.001 unless given, as in Keras.
  public var learningRate: Float
  /// What `a` starts from; at least 0.
  public let initialAccumulator: Float
  /// Keeps the division finite; at least 0, and not 0 if `initialAccumulator` is.
  public let epsilon: Float

  /// Adagrad with the defaults of TensorFlow 2.
  public init(
    learningRate: Float = 0.001, initialAccumulator: Float = 0.1, epsilon: Float = 1e-7
  ) {
    self.learningRate = learningRate
    self.initialAccumulator = initialAccumulator
    self.epsilon = epsilon
  }

  /// `adagrad`.
  public var name: String { "adagrad" }

  /// `initialAccumulator`, `epsilon`.
  public var hyperparameters: [Hyperparameter] {
    [
      Hyperparameter(name: "initialAccumulator", value: initialAccumulator),
      Hyperparameter(name: "epsilon", value: epsilon),
    ]
  }

  /// `dimension`.
  public func slotCount(dimension: Int) -> Int { dimension }

  /// Sets every float to `initialAccumulator`.
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
    ck_adagrad(start, gradients, rows.count, dimension, learningRate, epsilon)
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

extension Optimizer where Self == Adagrad {
  /// See ``Adagrad``.
  public static func adagrad(
    learningRate: Float = 0.001, initialAccumulator: Float = 0.1, epsilon: Float = 1e-7
  ) -> Adagrad {
    Adagrad(learningRate: learningRate, initialAccumulator: initialAccumulator, epsilon: epsilon)
  }
}
