import ArgumentParser
import Embeddings

/// Shows what a database or a snapshot holds and what it costs.
struct Stat: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show rows, bytes, step, histograms, pages and readers.",
    discussion: """
      Shows the last commit, while training goes on. The histograms read every row; --quick leaves \
      them out, and takes milliseconds whatever the size.

      With --json: database, format_version, step, batches, commits, storage (file_bytes, \
      page_bytes, used_pages, free_pages, map_bytes, last_transaction, readers with process and \
      lag, maximum_readers, oldest_reader_lag, lmdb_version, lmdb_warning) and tables (name, rows, \
      total_frequency, id_bytes, row_bytes, state_bytes, rows_per_block, block_bytes, evicted, \
      eviction (null, or the policy: every_steps, last_step, older_than, fewer_than, norm_below, \
      keep_newest, keep_most_frequent, decay), configuration, life (null where each id gets a row, \
      else seen, admitted, on_probation, promoted, forgotten, shared, and filter with bytes, fill, \
      false_positive_rate, layers, expected_ids), and unless --quick \
      non_finite_rows, frequency and norm, each with minimum, mean, maximum and a \
      histogram: bins with their rows, from one value to another, or through it).

      Of a snapshot it shows what the file says of itself, what its columns cost, and the same \
      histograms, unless it is a delta; with --quick no row is read. With --json, beside these: snapshot, table, identity, step, batches, commits, rows, deletions, base \
      (of a delta: identity, step, batches), configuration, encoding, includes_slots, file_bytes, \
      index_bytes, section_bytes, blocks, and columns with name, stored_bytes, value_bytes.

      EXAMPLES:
        embstore stat words.emb
        embstore stat model.emb --table users --bins 40
        embstore stat model.emb --quick --json
        embstore stat words.embsnap
      """)

  @OptionGroup var database: SourceArguments
  @Option(
    name: .shortAndLong, help: "Show this table only.",
    completion: .custom { words, _, _ in completeTable(words) })
  var table: String?
  @Flag(help: "Leave out the histograms.")
  var quick = false
  @Option(help: "Bins of the histogram of norms.")
  var bins = 12
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard (1...4096).contains(bins) else {
      throw ValidationError("--bins is \(bins); it must be from 1 to 4096.")
    }
  }

  func run() throws {
    if database.isOfSnapshot { return try showSnapshot() }
    let store = try database.openDatabase()
    // Says which tables there are, if there is none of this name.
    if let table { _ = try store.table(table) }
    var found = try store.statistics()
    if let table { found.tables.removeAll { $0.name != table } }
    var histograms: [TableHistograms?] = []
    for table in found.tables {
      histograms.append(quick ? nil : try store.table(table.name).histograms(normBins: bins))
    }
    if let warning = found.storage.libraryWarning { complain("warning: \(warning)") }
    var out = Output()
    if output.json {
      try out.line(StatJSON(found, histograms).value.pretty)
    } else {
      for line in StatText(found, histograms).lines { try out.line(line) }
    }
    try out.flush()
  }
}
