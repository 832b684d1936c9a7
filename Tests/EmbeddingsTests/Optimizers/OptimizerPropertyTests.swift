import Embeddings
import Testing

@Suite struct OptimizerPropertyTests {
  static let builtIns: [any Optimizer] = [
    .sgd(learningRate: 0.1), .momentum(learningRate: 0.1), .momentum(nesterov: true),
    .adagrad(learningRate: 0.1), .rowWiseAdagrad(learningRate: 0.1),
    .ftrl(learningRate: 0.1, l1: 0.01), .adam(learningRate: 0.1),
  ]

  /// One row through the public call.
  private func step(
    _ optimizer: any Optimizer, _ vector: inout [Float], _ slots: inout [Float],
    _ gradient: [Float]
  ) {
    var vectorSpan = vector.mutableSpan
    var slotSpan = slots.mutableSpan
    optimizer.update(
      vector: &vectorSpan, slots: &slotSpan, gradient: gradient.span,
      learningRate: optimizer.learningRate)
  }

  private func newSlots(_ optimizer: any Optimizer, dimension: Int) -> [Float] {
    var slots = [Float](repeating: .nan, count: optimizer.slotCount(dimension: dimension))
    var span = slots.mutableSpan
    optimizer.initializeSlots(&span, dimension: dimension)
    return slots
  }

  @Test(arguments: builtIns.indices)
  func updateOfOneRowEqualsUpdateOfABatch(_ which: Int) throws {
    let optimizer = Self.builtIns[which]
    for dimension in [1, 3, 16, 21] {
      let updater = try AnyRowOptimizer(optimizer, dimension: dimension)
      var vector = (0..<dimension).map { Float($0) * 0.3 - 1 }
      var slots = newSlots(optimizer, dimension: dimension)
      var table = RowTable(firstVectors: vector + vector, updater: updater)
      #expect(table.slots == slots + slots)
      for t in 0..<5 {
        let gradient = (0..<dimension).map { Float(($0 + t) % 7) * 0.1 - 0.3 }
        step(optimizer, &vector, &slots, gradient)
        table.update([1, 0], gradient + gradient, learningRate: optimizer.learningRate)
      }
      #expect(table.vectors == vector + vector)
      #expect(table.slots == slots + slots)
    }
  }

  @Test func l1SetsWeakWeightsToExactlyZero() {
    let optimizer = FTRL(learningRate: 0.1, l1: 0.5)
    var vector: [Float] = [0.3, -0.3, 0, 0]
    var slots = newSlots(optimizer, dimension: 4)
    for _ in 0..<3 { step(optimizer, &vector, &slots, [0.01, -0.01, 0, 2]) }
    #expect(vector[0...2].allSatisfy { $0.bitPattern == 0 })
    #expect(vector[3] < 0)
  }

  @Test func ftrlOfAZeroGradientStaysFiniteWithoutAnAccumulator() {
    let optimizer = FTRL(learningRate: 0.1, initialAccumulator: 0)
    var vector: [Float] = [0.3, 0.3]
    var slots = newSlots(optimizer, dimension: 2)
    step(optimizer, &vector, &slots, [0, 1])
    #expect(vector[0] == 0 && vector[1].isFinite && slots.allSatisfy(\.isFinite))
  }

  @Test func adamCountsBeyondWhatAFloatCounts() {
    let optimizer = Adam(learningRate: 0.1)
    for (before, after): (UInt32, UInt32) in [
      (0, 1), (1 << 24, 1 << 24 + 1), (0x7F7F_FFFE, 0x7F7F_FFFF), (0x7F7F_FFFF, 0x7F7F_FFFF),
    ] {
      var vector: [Float] = [1]
      var slots: [Float] = [0, 0, Float(bitPattern: before)]
      step(optimizer, &vector, &slots, [2])
      #expect(slots[2].bitPattern == after)
      #expect(slots[2].isFinite)
      // Step 1 moves by the learning rate; late ones have no bias correction left.
      let expected: Float = before == 0 ? 0.9 : 1 - 0.1 * 0.2 / (0.004 as Float).squareRoot()
      #expect(abs(vector[0] - expected) < 1e-5)
    }
  }

  @Test func adamRowsCountTheirOwnSteps() throws {
    let updater = try AnyRowOptimizer(.adam(), dimension: 2)
    var table = RowTable(firstVectors: [0, 0, 0, 0], updater: updater)
    for t in 0..<9 { table.update(t % 3 == 0 ? [0, 1] : [0], [1, 1, 1, 1], learningRate: 0.1) }
    #expect(table.slots[4].bitPattern == 9)
    #expect(table.slots[9].bitPattern == 3)
  }

  @Test func momentumZeroIsPlainDescent() {
    var (a, b): ([Float], [Float]) = ([1, 2, 3], [1, 2, 3])
    var (none, slots): ([Float], [Float]) = ([], [0, 0, 0])
    for _ in 0..<5 {
      step(SGD(learningRate: 0.3), &a, &none, [0.1, -0.2, 0.7])
      step(Momentum(learningRate: 0.3, momentum: 0), &b, &slots, [0.1, -0.2, 0.7])
    }
    #expect(a == b)
  }

  @Test func rowWiseAdagradKeepsTheMeanOfSquares() {
    let optimizer = RowWiseAdagrad(learningRate: 1)
    var vector: [Float] = [0, 0, 0, 0]
    var slots = newSlots(optimizer, dimension: 4)
    step(optimizer, &vector, &slots, [1, 2, 3, 4])
    #expect(slots == [7.5])
    #expect(vector[3] == 4 * vector[0])
  }

  @Test func slotsOfAnotherDimensionTrap() async {
    await #expect(processExitsWith: .failure) {
      var (vector, slots): ([Float], [Float]) = ([0, 0], [0])
      let gradient: [Float] = [0, 0]
      var vectorSpan = vector.mutableSpan
      var slotSpan = slots.mutableSpan
      Adagrad().update(
        vector: &vectorSpan, slots: &slotSpan, gradient: gradient.span, learningRate: 1)
    }
  }

  @Test func gradientOfAnotherDimensionTraps() async {
    await #expect(processExitsWith: .failure) {
      var (vector, slots): ([Float], [Float]) = ([0, 0], [])
      let gradient: [Float] = [0]
      var vectorSpan = vector.mutableSpan
      var slotSpan = slots.mutableSpan
      SGD().update(vector: &vectorSpan, slots: &slotSpan, gradient: gradient.span, learningRate: 1)
    }
  }
}
