import Embeddings
import Testing

/// AdaMax (Kingma, Ba, 2014, section 7.1), as a user of the library would write it.
private struct AdaMax: Optimizer {
  var learningRate: Float = 0.002
  var beta1: Float = 0.9
  var beta2: Float = 0.999

  var name: String { "example.adamax" }
  var hyperparameters: [Hyperparameter] {
    [Hyperparameter(name: "beta1", value: beta1), Hyperparameter(name: "beta2", value: beta2)]
  }
  func slotCount(dimension: Int) -> Int { 2 * dimension + 1 }
  func initializeSlots(_ slots: inout MutableSpan<Float>, dimension: Int) {
    slots.update(repeating: 0)
    slots[2 * dimension] = 1  // beta1^0
  }
  func update(
    vector: inout MutableSpan<Float>, slots: inout MutableSpan<Float>, gradient: Span<Float>,
    learningRate: Float
  ) {
    let d = vector.count
    slots[2 * d] *= beta1
    for i in 0..<d {
      slots[i] = beta1 * slots[i] + (1 - beta1) * gradient[i]
      slots[d + i] = max(beta2 * slots[d + i], abs(gradient[i]) + 1e-7)
      vector[i] -= learningRate / (1 - slots[2 * d]) * slots[i] / slots[d + i]
    }
  }
}

/// The example of ``Optimizer``'s documentation.
private struct SignSGD: Optimizer {
  var learningRate: Float = 0.01
  var name: String { "signSGD" }
  var hyperparameters: [Hyperparameter] { [] }
  func slotCount(dimension: Int) -> Int { 0 }
  func initializeSlots(_ slots: inout MutableSpan<Float>, dimension: Int) {}
  func update(
    vector: inout MutableSpan<Float>, slots: inout MutableSpan<Float>,
    gradient: Span<Float>, learningRate: Float
  ) {
    for i in 0..<vector.count where gradient[i] != 0 {
      vector[i] -= gradient[i] > 0 ? learningRate : -learningRate
    }
  }
}

@Suite struct OwnOptimizerTests {
  @Test func ownOptimizerWithoutSlotsTrainsRows() throws {
    let updater = try AnyRowOptimizer(SignSGD(), dimension: 3)
    var table = RowTable(firstVectors: [1, 1, 1, 2, 2, 2], updater: updater)
    table.update([1], [9, 0, -0.1], learningRate: 0.5)
    #expect(table.vectors == [1, 1, 1, 1.5, 2, 2.5])
  }

  @Test func ownOptimizerTrainsRowsThroughTheStoresCall() throws {
    let updater = try AnyRowOptimizer(AdaMax(), dimension: 3)
    #expect(updater.slotCount == 7)
    var table = RowTable(firstVectors: [1, 1, 1, 2, 2, 2, 3, 3, 3], updater: updater)
    for _ in 0..<10 {
      // Row 1 stays out. AdaMax moves by the learning rate while the gradient does not change.
      table.update([2, 0], [1, 1, 1, -4, 0.5, 4], learningRate: 0.01)
    }
    let expected: [Float] = [1.1, 0.9, 0.9, 2, 2, 2, 2.9, 2.9, 2.9]
    #expect(zip(table.vectors, expected).allSatisfy { abs($0 - $1) < 1e-5 })
    #expect(Array(table.slots[7..<14]) == [0, 0, 0, 0, 0, 0, 1])
    #expect(abs(table.slots[6] - 0.34867844) < 1e-6)
  }

  @Test func negativeSlotCountIsRefusedWithTheRemedy() {
    struct Wrong: Optimizer {
      var name: String { "wrong" }
      var learningRate: Float = 1
      var hyperparameters: [Hyperparameter] { [] }
      func slotCount(dimension: Int) -> Int { -1 }
      func initializeSlots(_ slots: inout MutableSpan<Float>, dimension: Int) {}
      func update(
        vector: inout MutableSpan<Float>, slots: inout MutableSpan<Float>, gradient: Span<Float>,
        learningRate: Float
      ) {}
    }
    let error = #expect(throws: EmbeddingError.self) {
      try AnyRowOptimizer(Wrong(), dimension: 4)
    }
    #expect(error?.code == .invalidConfiguration)
    #expect(error?.message.contains("return 0 or more") == true)
  }
}
