import CKernels

/// Adam, lazy and per row: a row moves, and its moments decay, when it is updated.
///
///     t += 1
///     m += (g - m)*(1 - beta1)
///     v += (g*g - v)*(1 - beta2)
///     w -= lr*sqrt(1 - beta2^t)/(1 - beta1^t) * m/(sqrt(v) + epsilon)
///
/// **Not the sparse Adam of TensorFlow or PyTorch.** TensorFlow's moves every row of the variable
/// on every step, also those that are not in the batch, and keeps one `t` for all rows, which a
/// store cannot; PyTorch's `SparseAdam` leaves the other rows alone but keeps one `t` too. Here each
/// row counts its own `t`, as in Monolith, Paddle and OpenEmbedding, so that a rare id gets its own
/// bias correction. For rows that are updated on every step they all agree. (PyTorch's dense `Adam`
/// divides by `sqrt(v)/sqrt(1 - beta2^t) + epsilon` instead.)
///
/// The bias correction is computed in double and rounded once, and the powers of beta by repeated
/// squaring, so that they have the same bits on every machine; TensorFlow computes it in float, which
/// differs by about 1e-6 of a step.
///
/// State: two floats an element and one more, all `m` first, then all `v` (both from 0), then `t`:
/// **the bits of a UInt32** in the place of a Float, so that it counts exactly (a Float stops at
/// 2^24). Read it with `slot.bitPattern`, never as a number. It stays at 0x7F7F_FFFF once it gets
/// there, so that the slot is never a NaN; both powers of beta are 0 long before.
///
/// Kingma, Ba: *Adam: A Method for Stochastic Optimization* (2014), section 2.
public struct Adam: Optimizer, RowOptimizer, Hashable {
  /// The step size; 0.001 unless given.
  public var learningRate: Float
  /// The share of `m` that each step keeps; 0 or more and below 1.
  public let beta1: Float
  /// The share of `v` that each step keeps; 0 or more and below 1.
  public let beta2: Float
  /// Keeps the division finite; above 0.
  public let epsilon: Float

  /// Adam with the defaults of the paper.
  public init(
    learningRate: Float = 0.001, beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8
  ) {
    self.learningRate = learningRate
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
  }

  /// `adam`.
  public var name: String { "adam" }

  /// `beta1`, `beta2`, `epsilon`.
  public var hyperparameters: [Hyperparameter] {
    [
      Hyperparameter(name: "beta1", value: beta1),
      Hyperparameter(name: "beta2", value: beta2),
      Hyperparameter(name: "epsilon", value: epsilon),
    ]
  }

  /// `2 * dimension + 1`.
  public func slotCount(dimension: Int) -> Int { 2 * dimension + 1 }

  /// Sets every float to 0, which is also the bits of step 0.
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
    ck_adam(start, gradients, rows.count, dimension, learningRate, beta1, beta2, epsilon)
  }

  package func validate() throws(EmbeddingError) {
    try require(beta1 >= 0 && beta1 < 1, "beta1", beta1, "it must be at least 0 and below 1")
    try require(beta2 >= 0 && beta2 < 1, "beta2", beta2, "it must be at least 0 and below 1")
    try require(
      epsilon > 0 && epsilon.isFinite, "epsilon", epsilon, "it must be finite and above 0")
  }
}

extension Optimizer where Self == Adam {
  /// See ``Adam``.
  public static func adam(
    learningRate: Float = 0.001, beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8
  ) -> Adam {
    Adam(learningRate: learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon)
  }
}
