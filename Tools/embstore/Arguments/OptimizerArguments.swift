import ArgumentParser
import Embeddings

/// What an update does to a row.
struct OptimizerArguments: ParsableArguments {
  /// The built-in optimizers, as the command line names them.
  enum Name: String, ExpressibleByArgument, CaseIterable, Sendable {
    case sgd, momentum, adagrad
    case rowWiseAdagrad = "row-wise-adagrad"
    case ftrl, adam
  }

  @Option(help: "What trains the rows; decides the slots that each keeps.")
  var optimizer: Name = .adagrad
  @Option(help: "The learning rate of updates that name none.")
  var learningRate: Float?
  @Option(help: "Of adagrad, row-wise-adagrad and ftrl: where accumulators start.")
  var initialAccumulator: Float?
  @Option(help: "Of adagrad, row-wise-adagrad and adam.")
  var epsilon: Float?
  @Option(help: "Of momentum.")
  var momentum: Float?
  @Flag(help: "Of momentum: Nesterov's.")
  var nesterov = false
  @Option(help: "Of adam.")
  var beta1: Float?
  @Option(help: "Of adam.")
  var beta2: Float?
  @Option(help: "Of ftrl: the L1 regularization.")
  var l1: Float?
  @Option(help: "Of ftrl: the L2 regularization.")
  var l2: Float?
  @Option(help: "Of ftrl: the L2 shrinkage.")
  var l2Shrinkage: Float?

  /// The hyper-parameters given, by option and by the library's name.
  private var given: [(option: String, name: String, value: Float)] {
    let all: [(String, String, Float?)] = [
      ("--initial-accumulator", "initialAccumulator", initialAccumulator),
      ("--epsilon", "epsilon", epsilon), ("--momentum", "momentum", momentum),
      ("--nesterov", "nesterov", nesterov ? 1 : nil), ("--beta1", "beta1", beta1),
      ("--beta2", "beta2", beta2), ("--l1", "l1", l1), ("--l2", "l2", l2),
      ("--l2-shrinkage", "l2Shrinkage", l2Shrinkage),
    ]
    return all.compactMap { option, name, value in value.map { (option, name, $0) } }
  }

  /// The optimizer that the options describe.
  func make() throws -> any Optimizer {
    let base: any Optimizer =
      switch optimizer {
      case .sgd: SGD()
      case .momentum: Momentum()
      case .adagrad: Adagrad()
      case .rowWiseAdagrad: RowWiseAdagrad()
      case .ftrl: FTRL()
      case .adam: Adam()
      }
    var parameters = base.hyperparameters
    for (option, name, value) in given {
      guard let i = parameters.firstIndex(where: { $0.name == name }) else {
        let names = parameters.map { Self.option(of: $0.name) }
        throw ValidationError(
          "\(optimizer.rawValue) has no \(option). It has "
            + (["--learning-rate"] + names).joined(separator: ", ") + ".")
      }
      parameters[i].value = value
    }
    guard
      let made = try builtInOptimizer(
        name: base.name, learningRate: learningRate ?? base.learningRate, hyperparameters: parameters
      )
    else { preconditionFailure("\(base.name) is not built in") }
    return made
  }

  /// `initialAccumulator` as `--initial-accumulator`.
  private static func option(of name: String) -> String {
    "--" + name.map { $0.isUppercase ? "-\($0.lowercased())" : "\($0)" }.joined()
  }
}

extension Optimizer {
  /// Such as `adagrad(learningRate = 0.05, initialAccumulator = 0.1, epsilon = 1e-07)`.
  var shown: String {
    let rate = Hyperparameter(name: "learningRate", value: learningRate)
    return "\(name)(\(([rate] + hyperparameters).map(\.description).joined(separator: ", ")))"
  }
}
