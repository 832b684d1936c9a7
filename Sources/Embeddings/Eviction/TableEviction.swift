import LMDB
import StorageBase

/// What an eviction made of a table: to be taken over once its transaction is durable.
struct TableEviction {
  let table: TableCore
  private(set) var record: TableRecord
  private let decay: FrequencyDecay?
  private let numbers: Renumbering?
  /// What was evicted; nil where frequencies decayed and no rule was given.
  let report: EvictionReport?

  /// Decays frequencies, and removes the rows that a rule takes, from a table whose cache holds
  /// nothing that the transaction does not know. The record is brought up to date, and not stored.
  ///
  /// - Parameter sample: how many ids to report; nil for a report of counts alone.
  init(
    _ table: TableCore, _ before: TableRecord, rule: EvictionRule?, decay factor: Double? = nil,
    step: Int64, sample: Int? = nil, progress: ((EvictionProgress) -> Void)? = nil,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    self.table = table
    record = before
    decay = factor.map { FrequencyDecay(factor: $0) }
    let limits = RowRemoval.Limits(bytesAhead: table.cache.budget.bytesAhead)
    try decay?.run(table.storage, &record, bytesAhead: limits.bytesAhead, in: transaction)
    guard let rule else {
      numbers = nil
      report = nil
      return
    }
    var choice = EvictionChoice(
      rule, table.storage, rowCount: record.rowCount, step: step, isDryRun: false,
      progress: progress)
    try choice.run(in: transaction)
    if let sample { try choice.describe(sample: sample, in: transaction) }
    let removal = RowRemoval(choice.rows, from: table.storage, limits: limits)
    try removal.run(&record, in: transaction)
    record.evictions.evicted += UInt64(choice.rows.count)
    numbers = removal.numbers
    report = choice.report
  }

  /// Runs the table's policy at a commit of `step`.
  init(
    policyOf table: TableCore, _ before: TableRecord, step: Int64,
    in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    let policy = before.configuration.eviction
    try self.init(
      table, before, rule: policy?.rule, decay: policy?.frequencyDecay, step: step,
      in: transaction)
    record.evictions.lastStep = step
  }

  /// Takes over that it is durable. No batch is at work, and nothing waits for a commit.
  func takeOver() {
    if let decay {
      for shard in table.cache.shards { shard.withRows { $0.mapFrequencies { decay($0) } } }
    }
    table.takeOver(record, numbers)
  }
}
