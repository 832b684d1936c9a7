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
      ("configuration", table.configuration.json),
    ]
    if let histograms {
      members += [
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
    return .object(members)
  }

  private static func summary(_ value: TableHistograms.Summary, _ histogram: [JSON]) -> JSON {
    .object([
      ("minimum", .double(value.minimum)), ("mean", .double(value.mean)),
      ("maximum", .double(value.maximum)), ("histogram", .array(histogram)),
    ])
  }
}
