import Embeddings
import Testing

/// The built-in optimizers against what other frameworks computed on the same batches.
///
/// TensorFlow's kernels agree bit for bit, but for two: its Adagrad V1 takes an approximate
/// reciprocal square root, and its Adam computes the bias correction in float. PyTorch sums
/// duplicates in another order, uses fused multiply-adds, and rounds `1 - beta` from double, which
/// makes v differ by 1.3e-5 (`1 - 0.999` in float is 0.00099998713). Keras 3 takes
/// `sqrt(a + epsilon)`. The tolerances are what these come to within 60 steps; the replay gives the
/// same bits everywhere, so that they need no reserve.
@Suite struct FrameworkAgreementTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let fixture: String
    let optimizer: any Optimizer
    /// The largest distances of vectors and of slots, see `largestDistance`.
    var vectors = 0.0
    var slots = 0.0
    var testDescription: String { fixture }
  }

  static let cases: [Case] = [
    Case(fixture: "tf_sgd", optimizer: .sgd()),
    Case(fixture: "tf_momentum", optimizer: .momentum()),
    Case(fixture: "tf_nesterov", optimizer: .momentum(nesterov: true)),
    Case(fixture: "tf_adagrad_v2", optimizer: .adagrad()),
    Case(fixture: "tf_adagrad_v1", optimizer: .adagrad(epsilon: 0), vectors: 3),
    Case(fixture: "tf_ftrl", optimizer: .ftrl()),
    Case(fixture: "tf_ftrl_l1_l2", optimizer: .ftrl(l1: 0.6, l2: 0.1)),
    Case(fixture: "tf_ftrl_v2", optimizer: .ftrl(l1: 0.4, l2: 0.05, l2Shrinkage: 0.02)),
    Case(fixture: "tf_adam_rows", optimizer: .adam(), vectors: 10.5),
    Case(fixture: "keras_adagrad", optimizer: .adagrad(), vectors: 3),
    Case(
      fixture: "torch_adagrad", optimizer: .adagrad(initialAccumulator: 0, epsilon: 1e-10),
      vectors: 4),
    Case(fixture: "torch_momentum", optimizer: .momentum(), vectors: 2, slots: 2),
    Case(fixture: "torch_nesterov", optimizer: .momentum(nesterov: true), vectors: 3, slots: 2),
    Case(fixture: "torch_sparse_adam", optimizer: .adam(), vectors: 7.5, slots: 220),
    Case(fixture: "numpy_rowwise_adagrad", optimizer: .rowWiseAdagrad(), vectors: 2, slots: 2),
  ]

  @Test(arguments: cases) func optimizerMatchesFramework(_ example: Case) throws {
    let fixture = OptimizerFixture(example.fixture)
    let dimension = fixture.dimension
    var compared = 0
    try fixture.replay(example.optimizer) { expected, vectors, slots in
      let distance = largestDistance(vectors, expected.vectors, row: dimension, part: dimension)
      #expect(distance <= example.vectors, "vectors after step \(expected.stepsDone)")
      guard fixture.slotCount > 0 else { return compared += 1 }
      let apart = largestDistance(slots, expected.slots, row: fixture.slotCount, part: dimension)
      #expect(apart <= example.slots, "slots after step \(expected.stepsDone)")
      compared += 1
    }
    #expect(compared == 3)
  }

  @Test func fixtureBatchesRepeatIDsAndLeaveSomeOut() {
    let fixture = OptimizerFixture("tf_sgd")
    let ids = fixture.ids(step: 0)
    #expect(Set(ids).count < ids.count)
    #expect(Set(ids).count < fixture.rows)
    #expect(Set(fixture.learningRates).count == 7)
    let zeros = OptimizerFixture("tf_ftrl_l1_l2").snapshots[2].vectors.filter { $0 == 0 }.count
    #expect(zeros > 20 && zeros < 300)
  }
}

/// The largest difference between two row-major arrays, in units in the last place of the largest
/// magnitude in the same part of the row. The parts are what a row keeps a float an element of: the
/// vector, one accumulator, one moment. Per element the unit would say little, since an element
/// near 0 is the difference of large ones and keeps their absolute error.
private func largestDistance(_ a: [Float], _ b: [Float], row: Int, part: Int) -> Double {
  var largest = a.count == b.count ? 0 : Double.infinity
  for start in stride(from: 0, to: a.count, by: row) {
    for first in stride(from: start, to: start + row, by: part) {
      let range = first..<min(first + part, start + row)
      let magnitude = range.map { max(abs(a[$0]), abs(b[$0])) }.max()!
      for i in range where a[i].bitPattern != b[i].bitPattern {
        largest = max(largest, Double(abs(a[i] - b[i])) / Double(magnitude.ulp))
      }
    }
  }
  return largest
}
