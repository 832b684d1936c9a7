import CKernels

/// Stochastic gradient descent: `w -= lr*g`. No state.
public struct SGD: Optimizer, RowOptimizer, Hashable {
  /// The step size; 0.01 unless given, as in Keras.
  public var learningRate: Float

  /// Plain gradient descent.
  public init(learningRate: Float = 0.01) {
    self.learningRate = learningRate
  }

  /// `sgd`.
  public var name: String { "sgd" }

  /// None.
  public var hyperparameters: [Hyperparameter] {
    []
  }

  /// 0.
  public func slotCount(dimension: Int) -> Int { 0 }

  /// Nothing to do.
  public func initializeSlots(_ slots: inout MutableSpan<Float>, dimension: Int) {

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
    ck_sgd(start, gradients, rows.count, dimension, learningRate)
  }

  package func validate() throws(EmbeddingError) {}
}

extension Optimizer where Self == SGD {
  /// See ``SGD``.
  public static func sgd(learningRate: Float = 0.01) -> SGD {
    SGD(learningRate: learningRate)
  }
}
