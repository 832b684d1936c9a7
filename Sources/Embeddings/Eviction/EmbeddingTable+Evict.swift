import LMDB
public import StorageBase
import Synchronization

extension EmbeddingTable {
  /// Deletes the rows that a rule takes, in one transaction: all or nothing.
  ///
  ///     let report = try table.evict(.olderThan(steps: 10_000), dryRun: true)
  ///     print(report.evicted, "of", report.rowsBefore, "rows would go, such as", report.sample)
  ///
  /// What was trained before is committed first. Evicted ids read as their initial vectors, as if
  /// they had never been seen. The rows behind the table's new end take the places of those that go,
  /// so that the table is as small as if they had not been; the file keeps the pages for rows to come.
  ///
  /// Memory: a bit for each row, a block, and up to 40 MiB for ids and for pages on their way to the
  /// file. Training waits meanwhile.
  ///
  /// - Parameters:
  ///   - dryRun: changes nothing, and reports what would go of the last commit. That is exactly what
  ///     goes if nothing was trained since.
  ///   - sample: the most ids to report.
  ///   - progress: told now and then.
  /// - Throws: ``EmbeddingError/Code/invalidArgument`` for a rule that cannot be;
  ///   ``EmbeddingError/Code/readOnly``; ``EmbeddingError/Code/corruption`` where a block that would
  ///   change is damaged; ``EmbeddingError/Code/diskFull``.
  @discardableResult
  public func evict(
    _ rule: EvictionRule, dryRun: Bool = false, sample: Int = 10,
    progress: ((EvictionProgress) -> Void)? = nil
  ) throws(EmbeddingError) -> EvictionReport {
    try rule.validate()
    if dryRun { return try predict(rule, sample, progress) }
    let eviction = try change("evict") {
      (record, recorder, transaction) throws(EmbeddingError) in
      try TableEviction(
        core, &record, &recorder, rule: rule, sample: sample, progress: progress, in: transaction)
    }
    return eviction.report!
  }

  private func predict(
    _ rule: EvictionRule, _ sample: Int, _ progress: ((EvictionProgress) -> Void)?
  ) throws(EmbeddingError) -> EvictionReport {
    try database.read { (view) throws(EmbeddingError) in
      var choice = EvictionChoice(
        rule, storage, rowCount: try view.tableRecord(name).rowCount, step: view.point.step,
        isDryRun: true, progress: progress)
      try choice.run(in: view.transaction)
      try choice.describe(sample: sample, in: view.transaction)
      return choice.report
    }
  }

  /// Multiplies every row's frequency with `factor`, and rounds down: `floor(frequency * factor)`.
  ///
  /// With ``EvictionRule/seenFewerThan(_:)`` afterwards this is the *shrink* of Paddle's sparse
  /// tables: ids that are not seen any more fade away. One transaction that rewrites the whole table;
  /// what was trained before is committed first, and training waits meanwhile.
  ///
  /// - Parameter factor: from 0 to 1.
  /// - Throws: as ``evict(_:dryRun:sample:progress:)``.
  public func decayFrequencies(by factor: Double) throws(EmbeddingError) {
    try FrequencyDecay.validate(factor)
    _ = try change("decay frequencies") {
      (record, recorder, transaction) throws(EmbeddingError) in
      try TableEviction(core, &record, &recorder, rule: nil, decay: factor, in: transaction)
    }
  }

  private func change(
    _ what: String,
    _ body: (
      inout TableRecord, inout ChangeRecorder, borrowing WriteTransaction
    ) throws(EmbeddingError) -> TableEviction
  ) throws(EmbeddingError) -> TableEviction {
    try database.checkOpen()
    try database.checkWritable(what)
    return try database.alone { () throws(EmbeddingError) in
      try database.commitAlone(as: database.state.withLock { $0.live })
      let (eviction, record) = try database.writeTable(core) {
        (transaction, before, stamp) throws(EmbeddingError) in
        var record = before
        var recorder = ChangeRecorder(storage, before, stamp)
        let eviction = try body(&record, &recorder, transaction)
        if eviction.isChange { try recorder.finish(&record, in: transaction) }
        try database.putEvictions(record, name: name, in: transaction)
        return (eviction, record)
      }
      eviction.takeOver(record)
      return eviction
    }
  }
}
