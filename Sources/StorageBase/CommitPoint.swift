/// The point of training that a commit stands for.
///
/// What is durable is always a prefix of the batches that were applied: all of those up to and
/// including step `step`, and the first `batches` updates after it. After `commit(step:)` the second
/// number is 0; a commit that the store makes by itself within a step sets it.
public struct CommitPoint: Sendable, Hashable, CustomStringConvertible {
  /// The last step that is complete.
  public var step: Int64
  /// Batches that changed rows after that step. They may be those of more than one step: a process
  /// that resumed within a step, and went on with calls that name none (deletions), cannot know
  /// where it ended.
  public var batches: UInt64

  /// Names a point.
  public init(step: Int64 = 0, batches: UInt64 = 0) {
    self.step = step
    self.batches = batches
  }

  /// Whether this is the same point as another, or one before it.
  package func precedes(orEquals other: CommitPoint) -> Bool {
    step < other.step || (step == other.step && batches <= other.batches)
  }

  /// Such as `step 500`, or `step 500 + 3 batches`.
  public var description: String {
    batches == 0 ? "step \(step)" : "step \(step) + \(batches) batches"
  }
}
