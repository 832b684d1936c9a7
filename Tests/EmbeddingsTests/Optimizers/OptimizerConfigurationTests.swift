import Embeddings
import Testing

@Suite struct OptimizerConfigurationTests {
  /// Stored with tables: a change here breaks every existing one.
  @Test func storedNamesDoNotChange() {
    let expected = [
      "sgd()", "momentum(momentum, nesterov)", "momentum(momentum, nesterov)",
      "adagrad(initialAccumulator, epsilon)", "rowWiseAdagrad(initialAccumulator, epsilon)",
      "ftrl(l1, l2, l2Shrinkage, initialAccumulator)", "adam(beta1, beta2, epsilon)",
    ]
    let found = OptimizerPropertyTests.builtIns.map {
      "\($0.name)(\($0.hyperparameters.map(\.name).joined(separator: ", ")))"
    }
    #expect(found == expected)
  }

  @Test(arguments: OptimizerPropertyTests.builtIns.indices)
  func builtInOptimizersComeBackFromWhatIsStored(_ which: Int) throws {
    let optimizer = OptimizerPropertyTests.builtIns[which]
    let back = try #require(
      try builtInOptimizer(
        name: optimizer.name, learningRate: optimizer.learningRate,
        hyperparameters: optimizer.hyperparameters))
    #expect(back.name == optimizer.name)
    #expect(back.hyperparameters == optimizer.hyperparameters)
    #expect(back.learningRate == optimizer.learningRate)
  }

  @Test func unknownNameIsAUsersOwn() throws {
    #expect(try builtInOptimizer(name: "lion", learningRate: 1, hyperparameters: []) == nil)
  }

  @Test func hyperparametersOfAnotherOptimizerAreRefused() {
    let error = #expect(throws: EmbeddingError.self) {
      try builtInOptimizer(name: "adam", learningRate: 1, hyperparameters: [])
    }
    #expect(error?.code == .invalidConfiguration)
    #expect(error?.message.contains("(beta1, beta2, epsilon)") == true)
  }

  static let refused: [(any Optimizer, String)] = [
    (.sgd(learningRate: .nan), "learning rate"),
    (.momentum(momentum: 1), "momentum"),
    (.adagrad(initialAccumulator: -1), "initialAccumulator"),
    (.adagrad(initialAccumulator: 0, epsilon: 0), "epsilon"),
    (.rowWiseAdagrad(epsilon: -1), "epsilon"),
    (.rowWiseAdagrad(initialAccumulator: .infinity), "initialAccumulator"),
    (.ftrl(learningRate: 0), "learningRate"),
    (.ftrl(l1: -1), "l1"),
    (.ftrl(l2Shrinkage: .nan), "l2Shrinkage"),
    (.adam(beta1: 1), "beta1"),
    (.adam(beta2: -0.5), "beta2"),
    (.adam(epsilon: 0), "epsilon"),
  ]

  @Test(arguments: refused.indices)
  func hyperparameterOutOfRangeIsNamed(_ which: Int) {
    let (optimizer, parameter) = Self.refused[which]
    let error = #expect(throws: EmbeddingError.self) {
      try AnyRowOptimizer(optimizer, dimension: 4)
    }
    #expect(error?.code == .invalidConfiguration)
    #expect(error?.message.contains(parameter) == true)
    #expect(error?.message.contains("must be") == true)
  }
}
