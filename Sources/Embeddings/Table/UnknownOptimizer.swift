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
package func makeOptimizer(
  name: String, learningRate: Float, hyperparameters: [Hyperparameter], slotCount: Int
) throws(EmbeddingError) -> any Optimizer {
  func value(_ parameter: String) throws(EmbeddingError) -> Float {
    guard let value = hyperparameters.first(where: { $0.name == parameter })?.value else {
      throw EmbeddingError(
        .invalidConfiguration, "Optimizer \(name) has no hyper-parameter \(parameter).")
    }
    return value
  }
  switch name {
  case "sgd":
    return SGD(learningRate: learningRate)
  case "momentum":
    return Momentum(
      learningRate: learningRate, momentum: try value("momentum"),
      nesterov: try value("nesterov") != 0)
  case "adagrad":
    return Adagrad(
      learningRate: learningRate, initialAccumulator: try value("initialAccumulator"),
      epsilon: try value("epsilon"))
  case "rowWiseAdagrad":
    return RowWiseAdagrad(
      learningRate: learningRate, initialAccumulator: try value("initialAccumulator"),
      epsilon: try value("epsilon"))
  case "ftrl":
    return FTRL(
      learningRate: learningRate, l1: try value("l1"), l2: try value("l2"),
      l2Shrinkage: try value("l2Shrinkage"),
      initialAccumulator: try value("initialAccumulator"))
  case "adam":
    return Adam(
      learningRate: learningRate, beta1: try value("beta1"), beta2: try value("beta2"),
      epsilon: try value("epsilon"))
  default:
    return UnknownOptimizer(
      name: name, learningRate: learningRate, hyperparameters: hyperparameters, slots: slotCount)
  }
}
