import StoreKernels

/// An optimizer's step on a batch of rows, without anything of the table around it.
struct Kernel: Sendable {
  let name: String
  /// Floats of state of a row of `dimension` floats.
  let slots: @Sendable (_ dimension: Int) -> Int
  let step: @Sendable (_ kernels: ck_kernels, _ batch: Batch) -> Void

  /// Adagrad first: the others are compared with it.
  static let all: [Kernel] = [
    Kernel(name: "Adagrad", slots: { $0 }) {
      $0.adagrad($1.rows, $1.gradients, $1.count, $1.dimension, 0.01, 1e-7)
    },
    Kernel(name: "SGD", slots: { _ in 0 }) {
      $0.sgd($1.rows, $1.gradients, $1.count, $1.dimension, 0.01)
    },
    Kernel(name: "Momentum", slots: { $0 }) {
      $0.momentum($1.rows, $1.gradients, $1.count, $1.dimension, 0.01, 0.9, 0)
    },
    Kernel(name: "Nesterov", slots: { $0 }) {
      $0.momentum($1.rows, $1.gradients, $1.count, $1.dimension, 0.01, 0.9, 1)
    },
    Kernel(name: "row-wise Adagrad", slots: { _ in 1 }) {
      $0.rowwise_adagrad($1.rows, $1.gradients, $1.count, $1.dimension, 0.01, 1e-10)
    },
    Kernel(name: "FTRL", slots: { 2 * $0 }) {
      $0.ftrl($1.rows, $1.gradients, $1.count, $1.dimension, 0.01, 0.001, 0.001, 0)
    },
    Kernel(name: "Adam", slots: { 2 * $0 + 1 }) {
      $0.adam($1.rows, $1.gradients, $1.count, $1.dimension, 0.001, 0.9, 0.999, 1e-8)
    },
  ]
}

/// The rows of one call, and their gradients.
struct Batch {
  let rows: UnsafeMutablePointer<UnsafeMutablePointer<Float>>
  let gradients: UnsafeMutablePointer<UnsafePointer<Float>>
  let count: Int
  let dimension: Int
}
