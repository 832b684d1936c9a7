import LMDB
public import StorageBase
import Synchronization

extension EmbeddingDatabase {
  /// Sets or removes a table's eviction policy, durable at once.
  ///
  /// A first policy runs `everySteps` after the step that the database is at; one that takes the place
  /// of another, `everySteps` after the step at which that one last ran.
  ///
  /// - Throws: ``EmbeddingError/Code/invalidConfiguration``; ``EmbeddingError/Code/notFound``;
  ///   ``EmbeddingError/Code/readOnly``.
  public func setEviction(
    _ policy: EvictionPolicy?, of name: String
  ) throws(EmbeddingError) {
    try checkWritable("set an eviction policy")
    try policy?.validate()
    let core = try table(name).core
    try alone { () throws(EmbeddingError) in
      var record = core.state.withLock { $0.record }
      if record.configuration.eviction == nil {
        record.evictions.lastStep = state.withLock { $0.live.step }
      }
      record.configuration.eviction = policy
      try environment.write { (transaction) throws(EmbeddingError) in
        try putEvictions(record, name: name, in: transaction)
      }
      core.state.withLock { state in
        state.record.configuration.eviction = policy
        state.record.evictions = record.evictions
      }
    }
  }

  /// Commits as `point`, alone, and runs the policies that are due.
  func commitWithEvictions(
    as point: (State) throws(EmbeddingError) -> CommitPoint
  ) throws(EmbeddingError) {
    try alone { () throws(EmbeddingError) in
      try checkOpen()
      try commitAlone(as: try point(state.withLock { $0 }), evicting: true)
    }
  }

  /// Whether a commit of `step` runs the policy of an open table.
  func isEvictionDue(at step: Int64) -> Bool {
    openTables.withLock { tables in tables.values.contains { $0.isEvictionDue(at: step) } }
  }
}

extension TableCore {
  /// Whether a commit of `step` runs the table's policy.
  func isEvictionDue(at step: Int64) -> Bool {
    state.withLock { state in
      guard let policy = state.record.configuration.eviction else { return false }
      let (next, overflows) = state.record.evictions.lastStep.addingReportingOverflow(
        policy.everySteps)
      return !overflows && step >= next
    }
  }
}
