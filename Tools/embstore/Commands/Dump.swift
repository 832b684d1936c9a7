import ArgumentParser
import Embeddings

/// Lists the rows of a table.
struct Dump: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List rows as an aligned table, or as JSON lines.",
    discussion: """
      Lists one commit, whole, while training goes on. The table shows the first elements of each \
      vector (see --elements); JSON lines have them all.

      With --jsonl: one object a line with row, id, frequency, last_step, norm, and unless \
      --no-vectors vector. Numbers that JSON does not have are null. An id that is not UTF-8 also \
      has id_hex. The rows of a snapshot stand in the order of their ids.

      EXAMPLES:
        embstore dump words.emb --limit 20
        embstore dump words.emb --sort frequency --limit 100 --no-vectors
        embstore dump words.emb --jsonl | jq -r .id
        embstore dump words.embsnap --limit 20
      """)

  /// The order of rows.
  enum Order: String, ExpressibleByArgument, CaseIterable {
    case row, frequency
  }

  @OptionGroup var database: SourceArguments
  @OptionGroup var table: TableOption
  @Option(name: .shortAndLong, help: "At most so many rows.")
  var limit: Int?
  @Option(help: "The order: row (of first sight) or frequency (falling; takes memory for the ids).")
  var sort: Order = .row
  @Flag(name: [.long, .customLong("json")], help: "Print JSON, one object a line.")
  var jsonl = false
  @Flag(name: .customLong("no-vectors"), help: "Leave out the vectors.")
  var noVectors = false
  @Option(help: "Elements of each vector in the table.")
  var elements = 4

  func validate() throws {
    if let limit, limit < 0 { throw ValidationError("--limit is \(limit); it must be 0 or more.") }
    guard elements >= 0 else {
      throw ValidationError("--elements is \(elements); it must be 0 or more.")
    }
  }

  func run() throws {
    let source = try database.open(table)
    var printer = RowPrinter(
      dimension: source.configuration.dimension, asJSON: jsonl,
      elements: noVectors ? 0 : elements, hasVectors: !noVectors)
    switch source {
    case .snapshot(let store): try print(store, &printer)
    case .table(let table):
      try table.database.read { (view) throws(EmbeddingError) in
        switch sort {
        case .row: try printRows(of: table, view, &printer)
        case .frequency: try printByFrequency(table, view, &printer)
        }
      }
    }
    try printer.finish()
  }

  private func printRows(
    of source: EmbeddingTable, _ view: borrowing CommittedView, _ printer: inout RowPrinter
  ) throws(EmbeddingError) {
    var left = limit ?? .max
    guard left > 0 else { return }
    var row = 0
    try view.forEachBatch(of: source, ofAtMost: min(1024, left)) {
      (batch) throws(EmbeddingError) -> Bool in
      for i in 0..<min(batch.count, left) {
        try printer.add(batch, i, row: row)
        row += 1
      }
      left -= min(batch.count, left)
      return left > 0
    }
  }

  /// Three passes over one commit: the frequencies; what else is wanted of the rows chosen; and
  /// their vectors, by id.
  private func printByFrequency(
    _ source: EmbeddingTable, _ view: borrowing CommittedView, _ printer: inout RowPrinter
  ) throws(EmbeddingError) {
    var frequencies: [UInt64] = []
    try view.forEachBatch(of: source) { (batch) throws(EmbeddingError) -> Bool in
      frequencies += batch.frequencies
      return true
    }
    let order = frequencies.indices.sorted {
      frequencies[$0] == frequencies[$1] ? $0 < $1 : frequencies[$0] > frequencies[$1]
    }.prefix(limit ?? .max)
    var rankOf = [Int: Int](minimumCapacity: order.count)
    for (rank, row) in order.enumerated() { rankOf[row] = rank }
    var ids = [EmbeddingID?](repeating: nil, count: order.count)
    var lastSteps = [Int64](repeating: 0, count: order.count)
    var row = 0
    try view.forEachBatch(of: source) { (batch) throws(EmbeddingError) -> Bool in
      for i in 0..<batch.count {
        if let rank = rankOf[row] {
          ids[rank] = batch.ids[i]
          lastSteps[rank] = batch.lastSteps[i]
        }
        row += 1
      }
      return true
    }
    let dimension = source.configuration.dimension
    for start in stride(from: 0, to: order.count, by: 1024) {
      let ranks = start..<min(start + 1024, order.count)
      var batch = RowBatch(idType: source.configuration.idType, dimension: dimension)
      for rank in ranks { ids[rank].map { batch.ids.append($0) } }
      batch.frequencies = ranks.map { frequencies[order[$0]] }
      batch.lastSteps = Array(lastSteps[ranks])
      var vectors = [Float](repeating: 0, count: ranks.count * dimension)
      var span = vectors.mutableSpan
      try view.lookup(batch.ids.batch, in: source, into: &span)
      batch.vectors = vectors
      for (i, rank) in ranks.enumerated() { try printer.add(batch, i, row: order[rank]) }
    }
  }
}
