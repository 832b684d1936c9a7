/// An optimizer that steps a whole batch of rows in one call: the built-in ones.
package protocol RowOptimizer: Optimizer {
  /// One step on each of `rows`.
  ///
  /// - Parameters:
  ///   - rows: `rows[i]` points at a row's vector `[dimension]`, directly followed by its slots. No
  ///     row occurs twice.
  ///   - gradients: `gradients[i]` points at the gradient `[dimension]` of row `i`; overlaps no row.
  ///   - dimension: the floats of a vector, at least 1.
  ///   - learningRate: the step size.
  func update(
    rows: UnsafeBufferPointer<UnsafeMutablePointer<Float>>,
    gradients: UnsafePointer<UnsafePointer<Float>>,
    dimension: Int, learningRate: Float)

  /// Throws ``EmbeddingError/Code/invalidConfiguration`` for a hyper-parameter out of its range.
  func validate() throws(EmbeddingError)
}

extension RowOptimizer {
  /// One step on one row by way of the batch kernel, so that there is one arithmetic. The row is
  /// copied to where its slots follow its vector, and back.
  func updateRow(
    vector: inout MutableSpan<Float>, slots: inout MutableSpan<Float>, gradient: Span<Float>,
    learningRate: Float
  ) {
    let dimension = vector.count
    let slotCount = slots.count
    precondition(gradient.count == dimension, "a gradient has as many floats as its vector")
    precondition(
      slotCount == self.slotCount(dimension: dimension),
      "the slots are not those of this optimizer and dimension")
    guard dimension > 0 else { return }
    vector.withUnsafeMutableBufferPointer { vector in
      slots.withUnsafeMutableBufferPointer { slots in
        gradient.withUnsafeBufferPointer { gradient in
          withUnsafeTemporaryAllocation(of: Float.self, capacity: dimension + slotCount) { row in
            // Unsafe: the kernels take addresses. `row` holds vector and slots side by side.
            let start = row.baseAddress!
            start.initialize(from: vector.baseAddress!, count: dimension)
            if slotCount > 0 {
              (start + dimension).initialize(from: slots.baseAddress!, count: slotCount)
            }
            withUnsafePointer(to: start) { rows in
              withUnsafePointer(to: gradient.baseAddress!) { gradients in
                update(
                  rows: UnsafeBufferPointer(start: rows, count: 1), gradients: gradients,
                  dimension: dimension, learningRate: learningRate)
              }
            }
            vector.baseAddress!.update(from: start, count: dimension)
            if slotCount > 0 {
              slots.baseAddress!.update(from: start + dimension, count: slotCount)
            }
          }
        }
      }
    }
  }

  func require(
    _ holds: Bool, _ parameter: String, _ value: Float, _ rule: String
  ) throws(EmbeddingError) {
    guard holds else {
      throw EmbeddingError(
        .invalidConfiguration, "\(parameter) of the optimizer \(name) is \(value); \(rule).")
    }
  }
}
