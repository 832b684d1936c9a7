/// How a gradient changes a row: the arithmetic of one training step.
///
/// A row keeps its vector and, right beside it, the optimizer's slots (its state: accumulators,
/// moments, a step count). The built-in optimizers are ``SGD``, ``Momentum``, ``Adagrad``,
/// ``RowWiseAdagrad``, ``FTRL`` and ``Adam``; a type of your own works as well, a little slower,
/// because it is called once a row.
///
/// **Duplicate ids.** The gradients of an id that occurs several times in a batch are summed first;
/// then ``update(vector:slots:gradient:learningRate:)`` is called once for it, as TensorFlow
/// (`_deduplicate_indexed_slices`) and PyTorch (`coalesce`) do.
///
/// **Identity.** ``name`` and ``hyperparameters`` are stored with the table, and a table is only
/// opened with an optimizer that has the same ones. The learning rate is not part of it.
///
///     struct SignSGD: Optimizer {
///       var learningRate: Float = 0.01
///       var name: String { "signSGD" }
///       var hyperparameters: [Hyperparameter] { [] }
///       func slotCount(dimension: Int) -> Int { 0 }
///       func initializeSlots(_ slots: inout MutableSpan<Float>, dimension: Int) {}
///       func update(
///         vector: inout MutableSpan<Float>, slots: inout MutableSpan<Float>,
///         gradient: Span<Float>, learningRate: Float
///       ) {
///         for i in 0..<vector.count where gradient[i] != 0 {
///           vector[i] -= gradient[i] > 0 ? learningRate : -learningRate
///         }
///       }
///     }
public protocol Optimizer: Sendable {
  /// What the arithmetic is called, such as `adagrad`. Stored with the table; choose one that no
  /// built-in optimizer has.
  var name: String { get }

  /// The step size, for updates that name no other. Finite; may change from step to step.
  var learningRate: Float { get set }

  /// Every hyper-parameter but the learning rate, always in the same order. Stored with the table
  /// and shown by the tools.
  var hyperparameters: [Hyperparameter] { get }

  /// The floats of state that a row of `dimension` floats keeps; 0 or more, the same at every call.
  func slotCount(dimension: Int) -> Int

  /// Fills the slots of a new row, `slotCount(dimension:)` floats. Must depend on nothing but the
  /// hyper-parameters and the dimension.
  func initializeSlots(_ slots: inout MutableSpan<Float>, dimension: Int)

  /// One step on one row.
  ///
  /// Called from several threads at once, for different rows.
  ///
  /// - Parameters:
  ///   - vector: the row's `dimension` floats, changed in place.
  ///   - slots: its `slotCount(dimension:)` floats of state, as the last step left them.
  ///   - gradient: `dimension` floats, already summed over the duplicates in the batch.
  ///   - learningRate: the step size of this call.
  func update(
    vector: inout MutableSpan<Float>, slots: inout MutableSpan<Float>, gradient: Span<Float>,
    learningRate: Float)
}
