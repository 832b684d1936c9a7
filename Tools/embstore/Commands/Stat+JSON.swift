import Embeddings

/// The state of a database for programs.
struct StatJSON {
  let value: JSON

  init(_ found: DatabaseReport, _ histograms: [TableHistograms?]) {
    let storage = found.storage
    value = .object([
      ("database", .string(found.path)), ("format_version", .integer(found.formatVersion)),
      ("step", .integer(found.lastCommit.step)), ("batches", .unsigned(found.lastCommit.batches)),
      ("commits", .unsigned(found.generation)),
      (
        "storage",
        .object([
          ("file_bytes", .integer(storage.fileSize)), ("page_bytes", .integer(storage.pageSize)),
          ("used_pages", .integer(storage.usedPages)), ("free_pages", .integer(storage.freePages)),
          ("map_bytes", .integer(storage.mapSize)),
          ("last_transaction", .unsigned(storage.lastTransaction)),
          (
            "readers",
            .array(
              storage.readers.map {
                .object([
                  ("process", .integer(Int($0.process))),
                  ("lag", .optional($0.lag, JSON.unsigned)),
                ])
              })
          ),
          ("maximum_readers", .integer(storage.maximumReaders)),
          ("oldest_reader_lag", .unsigned(storage.oldestReaderLag)),
          ("lmdb_version", .string(storage.libraryVersion)),
          ("lmdb_warning", .optional(storage.libraryWarning, JSON.string)),
        ])
      ),
      ("tables", .array(zip(found.tables, histograms).map(Self.table))),
    ])
  }

  private static func table(_ table: TableReport, _ histograms: TableHistograms?) -> JSON {
    var members: [(String, JSON)] = [
      ("name", .string(table.name)), ("rows", .integer(table.rows)),
      ("total_frequency", .unsigned(table.totalFrequency)),
      ("id_bytes", .integer(table.idBytes)), ("row_bytes", .integer(table.blockBytes)),
      ("state_bytes", .integer(table.stateBytes)),
      ("rows_per_block", .integer(table.rowsPerBlock)), ("block_bytes", .integer(table.blockSize)),
      ("evicted", .unsigned(table.evictedRows)),
      (
        "eviction",
        .optional(table.configuration.eviction, policy(lastStep: table.lastEvictionStep))
      ),
      ("configuration", table.configuration.json),
      ("life", table.life.map(Self.life) ?? .null),
    ]
    if let histograms { members += Self.members(histograms) }
    return .object(members)
  }

  private static func policy(lastStep: Int64?) -> (EvictionPolicy) -> JSON {
    { policy in
      let rule = policy.rule ?? .nothing
      return .object([
        ("every_steps", .integer(policy.everySteps)),
        ("last_step", .optional(lastStep, JSON.integer)),
        ("older_than", .optional(rule.stepsToLive, JSON.integer)),
        ("fewer_than", .optional(rule.minimumFrequency, JSON.unsigned)),
        ("norm_below", .optional(rule.normThreshold, JSON.float)),
        ("keep_newest", .optional(rule.targets[.newest], JSON.integer)),
        ("keep_most_frequent", .optional(rule.targets[.mostFrequent], JSON.integer)),
        ("decay", .optional(policy.frequencyDecay, JSON.double)),
      ])
    }
  }

  private static func life(_ life: LifeReport) -> JSON {
    .object([
      ("seen", .optional(life.counted, JSON.integer)), ("admitted", .integer(life.admitted)),
      ("on_probation", .integer(life.onProbation)),
      ("promoted", .optional(life.promoted, JSON.integer)),
      ("forgotten", .integer(life.forgotten)),
      ("shared", .optional(life.shared?.used, JSON.integer)),
      (
        "filter",
        life.filter.map { filter in
          .object([
            ("bytes", .integer(filter.bytes)), ("fill", .double(filter.fill)),
            ("false_positive_rate", .double(filter.falsePositiveRate)),
            ("layers", .integer(filter.layers)),
            ("expected_ids", .optional(filter.expectedIDs, JSON.integer)),
          ])
        } ?? .null
      ),
    ])
  }

  /// The members of histograms.
  static func members(_ histograms: TableHistograms) -> [(String, JSON)] {
    [
      ("non_finite_rows", .integer(histograms.nonFiniteRows)),
      (
        "frequency",
        summary(
          histograms.frequency,
          histograms.frequencies.map {
            .object([
              ("from", .unsigned($0.range.lowerBound)),
              ("through", .unsigned($0.range.upperBound)),
              ("rows", .integer($0.count)),
            ])
          })
      ),
      (
        "norm",
        summary(
          histograms.norm,
          histograms.norms.map {
            .object([
              ("from", .double($0.lower)), ("to", .double($0.upper)),
              ("rows", .integer($0.count)),
            ])
          })
      ),
    ]
  }

  private static func summary(_ value: TableHistograms.Summary, _ histogram: [JSON]) -> JSON {
    .object([
      ("minimum", .double(value.minimum)), ("mean", .double(value.mean)),
      ("maximum", .double(value.maximum)), ("histogram", .array(histogram)),
    ])
  }
}
