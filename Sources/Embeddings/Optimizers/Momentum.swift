import CKernels

/// Gradient descent with momentum, as TensorFlow's `ResourceSparseApplyMomentum` computes it.
///
/// `a = momentum*a + g; w -= lr*a`, and with Nesterov's momentum `w -= lr*g + lr*momentum*a`.
/// State: one float an element, `a`, from 0.
///
/// - A row's momentum decays when the row is updated, not on every step: an id that is not in the
///   batch stands still. `torch.optim.SGD` has the same formula (with `dampening: 0`), but decays
///   and moves every row on every step, even for sparse gradients.
/// - Keras folds the learning rate into the accumulator (`a = momentum*a - lr*g; w += a`): the same
///   as long as the learning rate does not change.
public struct Momentum: Optimizer, RowOptimizer, Hashable {
  /// The step size; 0.01 unless given, as in Keras.
  public var learningRate: Float
  /// The share of `a` that each step keeps; 0 or more and below 1.
  public let momentum: Float
  /// Whether the step looks ahead by one momentum step.
  public let nesterov: Bool

  /// Momentum, plain unless `nesterov` is true.
  public init(
    learningRate: Float = 0.01, momentum: Float = 0.9, nesterov: Bool = false
  ) {
    self.learningRate = learningRate
    self.momentum = momentum
    self.nesterov = nesterov
  }

  /// `momentum`.
  public var name: String { "momentum" }

  /// `momentum`, `nesterov` (0 or 1).
  public var hyperparameters: [Hyperparameter] {
    [
      Hyperparameter(name: "momentum", value: momentum),
      Hyperparameter(name: "nesterov", value: nesterov ? 1 : 0),
    ]
  }

  /// `dimension`.
  public func slotCount(dimension: Int) -> Int { dimension }

  /// Sets every float to 0.
  public func initializeSlots(_ slots: inout MutableSpan<Float>, dimension: Int) {
    slots.update(repeating: 0)
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
    ck_momentum(
      start, gradients, rows.count, dimension, learningRate, momentum, nesterov ? 1 : 0)
  }

  package func validate() throws(EmbeddingError) {
    try require(
      momentum >= 0 && momentum < 1, "momentum", momentum, "it must be at least 0 and below 1")
  }
}

extension Optimizer where Self == Momentum {
  /// See ``Momentum``.
  public static func momentum(
    learningRate: Float = 0.01, momentum: Float = 0.9, nesterov: Bool = false
  ) -> Momentum {
    Momentum(learningRate: learningRate, momentum: momentum, nesterov: nesterov)
  }
}
