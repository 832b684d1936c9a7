/// Any optimizer behind the batch call that the store makes: the built-in ones directly, a user's
/// own through a loop over the rows.
package struct AnyRowOptimizer: Sendable {
  /// The optimizer itself.
  package let base: any Optimizer
  /// The floats of a vector.
  package let dimension: Int
  /// The floats of state that follow the vector in each row.
  package let slotCount: Int
  private let batched: (any RowOptimizer)?

  /// Prepares `optimizer` for rows of `dimension` floats.
  ///
  /// Throws ``EmbeddingError/Code/invalidConfiguration`` where a hyper-parameter is out of its
  /// range.
  package init(_ optimizer: any Optimizer, dimension: Int) throws(EmbeddingError) {
    precondition(dimension > 0, "a vector has at least one float")
    guard optimizer.learningRate.isFinite else {
      throw EmbeddingError(
        .invalidConfiguration,
        "The learning rate of \(optimizer.name) is \(optimizer.learningRate); it must be finite.")
    }
    base = optimizer
    self.dimension = dimension
    batched = optimizer as? any RowOptimizer
    try batched?.validate()
    slotCount = optimizer.slotCount(dimension: dimension)
    guard slotCount >= 0 else {
      throw EmbeddingError(
        .invalidConfiguration,
        "slotCount(dimension: \(dimension)) of \(optimizer.name) is \(slotCount); return 0 or more."
      )
    }
  }

  /// Fills the `slotCount` floats of a new row at `slots`.
  package func initializeSlots(_ slots: UnsafeMutablePointer<Float>) {
    // Unsafe: the row's memory belongs to the store, which lends it for the call.
    var span = MutableSpan(_unsafeStart: slots, count: slotCount)
    base.initializeSlots(&span, dimension: dimension)
  }

  /// One step on each of `rows`, as ``RowOptimizer`` describes. No row occurs twice.
  package func update(
    rows: UnsafeBufferPointer<UnsafeMutablePointer<Float>>,
    gradients: UnsafePointer<UnsafePointer<Float>>,
    learningRate: Float
  ) {
    if let batched {
      batched.update(
        rows: rows, gradients: gradients, dimension: dimension, learningRate: learningRate)
      return
    }
    for (i, row) in rows.enumerated() {
      // Unsafe: the row's memory belongs to the store, which lends it for the call.
      var vector = MutableSpan(_unsafeStart: row, count: dimension)
      var slots = MutableSpan(_unsafeStart: row + dimension, count: slotCount)
      let gradient = Span(_unsafeStart: gradients[i], count: dimension)
      base.update(
        vector: &vector, slots: &slots, gradient: gradient, learningRate: learningRate)
    }
  }

  /// The same for gradients that stand row-major, `[rows.count, dimension]`.
  package func update(
    rows: UnsafeBufferPointer<UnsafeMutablePointer<Float>>,
    contiguous gradients: UnsafePointer<Float>,
    learningRate: Float
  ) {
    let pointers = rows.indices.map { gradients + $0 * dimension }
    pointers.withUnsafeBufferPointer { pointers in
      guard let start = pointers.baseAddress else { return }
      update(rows: rows, gradients: start, learningRate: learningRate)
    }
  }
}
