/// The built-in optimizer that has this name and these hyper-parameters: the way back from what is
/// stored with a table, for tools that were not told which optimizer it has.
///
/// `nil` for a name that no built-in optimizer has, so one of the user's own. Throws
/// ``EmbeddingError/Code/invalidConfiguration`` where the hyper-parameters are not those of the
/// optimizer named, or out of their range.
package func builtInOptimizer(
  name: String, learningRate: Float, hyperparameters: [Hyperparameter]
) throws(EmbeddingError) -> (any Optimizer)? {
  let values = hyperparameters.map(\.value)
  // Short lists are filled up, so that the initializers below can index; the names are compared
  // afterwards.
  let v = values + [Float](repeating: 0, count: 4)
  let optimizer: any RowOptimizer
  switch name {
  case "sgd":
    optimizer = SGD(learningRate: learningRate)
  case "momentum":
    optimizer = Momentum(learningRate: learningRate, momentum: v[0], nesterov: v[1] != 0)
  case "adagrad":
    optimizer = Adagrad(learningRate: learningRate, initialAccumulator: v[0], epsilon: v[1])
  case "rowWiseAdagrad":
    optimizer = RowWiseAdagrad(learningRate: learningRate, initialAccumulator: v[0], epsilon: v[1])
  case "ftrl":
    optimizer = FTRL(
      learningRate: learningRate, l1: v[0], l2: v[1], l2Shrinkage: v[2], initialAccumulator: v[3])
  case "adam":
    optimizer = Adam(learningRate: learningRate, beta1: v[0], beta2: v[1], epsilon: v[2])
  default:
    return nil
  }
  let expected = optimizer.hyperparameters.map(\.name)
  let given = hyperparameters.map(\.name)
  guard given == expected else {
    throw EmbeddingError(
      .invalidConfiguration,
      "The optimizer \(name) has the hyper-parameters (\(expected.joined(separator: ", "))), not "
        + "(\(given.joined(separator: ", "))); the table was made by another version of this library."
    )
  }
  try optimizer.validate()
  return optimizer
}
