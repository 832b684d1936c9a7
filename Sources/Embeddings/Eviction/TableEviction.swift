import LMDB
import StorageBase

/// What an eviction made of a table: to be taken over once its transaction is durable.
struct TableEviction {
  private let table: TableCore
  private let decay: FrequencyDecay?
  private let numbers: Renumbering?
  /// What was evicted; nil where frequencies decayed and no rule was given.
  let report: EvictionReport?
  /// Whether any row has changed or gone.
  let isChange: Bool

  /// Decays frequencies, and removes the rows that a rule takes, from a table whose cache holds
  /// nothing that the transaction does not know.
  ///
  /// - Parameters:
  ///   - record: brought up to date, and not stored.
  ///   - recorder: takes the changes down, and is not finished.
  ///   - sample: how many ids to report; nil for a report of counts alone.
  init(
    _ table: TableCore, _ record: inout TableRecord, _ recorder: inout ChangeRecorder,
    rule: EvictionRule?, decay factor: Double? = nil, sample: Int? = nil,
    progress: ((EvictionProgress) -> Void)? = nil, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    self.table = table
    decay = factor.map { FrequencyDecay(factor: $0) }
    let limits = RowRemoval.Limits(bytesAhead: table.cache.budget.bytesAhead)
    let hasDecayed =
      try decay?.run(
        table.storage, &record, &recorder, bytesAhead: limits.bytesAhead, in: transaction) ?? false
    guard let rule else {
      numbers = nil
      report = nil
      isChange = hasDecayed
      return
    }
    var choice = EvictionChoice(
      rule, table.storage, rowCount: record.rowCount, step: recorder.stamp.point.step,
      isDryRun: false, progress: progress)
    try choice.run(in: transaction)
    if let sample { try choice.describe(sample: sample, in: transaction) }
    let removal = RowRemoval(choice.rows, from: table.storage, limits: limits)
    try removal.run(&record, &recorder, in: transaction)
    record.evictions.evicted += UInt64(choice.rows.count)
    numbers = removal.numbers
    report = choice.report
    isChange = hasDecayed || choice.rows.count > 0
  }

  /// Runs the table's policy at the commit that the recorder is of.
  init(
    policyOf table: TableCore, _ record: inout TableRecord, _ recorder: inout ChangeRecorder,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    let policy = record.configuration.eviction
    try self.init(
      table, &record, &recorder, rule: policy?.rule, decay: policy?.frequencyDecay,
      in: transaction)
    record.evictions.lastStep = recorder.stamp.point.step
  }

  /// Takes over that it is durable. No batch is at work, and nothing waits for a commit.
  func takeOver(_ record: TableRecord) {
    if let decay {
      for shard in table.cache.shards { shard.withRows { $0.mapFrequencies { decay($0) } } }
    }
    table.takeOver(record, numbers)
  }
}
