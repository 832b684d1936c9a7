import StorageBase

/// Stands for an optimizer of somebody's own in a process that does not have it: enough to read,
/// export and inspect the table. Updates are refused by ``EmbeddingTable`` before they come here.
struct UnknownOptimizer: Optimizer {
  let name: String
  var learningRate: Float
  let hyperparameters: [Hyperparameter]
  let slots: Int

  func slotCount(dimension: Int) -> Int { slots }

  func initializeSlots(_ slots: inout MutableSpan<Float>, dimension: Int) {
    for i in 0..<slots.count { slots[i] = 0 }
  }

  func update(
    vector: inout MutableSpan<Float>, slots: inout MutableSpan<Float>, gradient: Span<Float>,
    learningRate: Float
  ) {
    preconditionFailure("optimizer \(name) is not part of this process")
  }
}

/// The optimizer that a table was created with: a built-in one, or a stand-in for a user's own.
///
/// - Throws: ``EmbeddingError/Code/invalidConfiguration`` for hyper-parameters out of range.
func storedOptimizer(
  name: String, learningRate: Float, hyperparameters: [Hyperparameter], slotCount: Int
) throws(EmbeddingError) -> any Optimizer {
  if let optimizer = try builtInOptimizer(
    name: name, learningRate: learningRate, hyperparameters: hyperparameters)
  {
    return optimizer
  }
  return UnknownOptimizer(
    name: name, learningRate: learningRate, hyperparameters: hyperparameters, slots: slotCount)
}
