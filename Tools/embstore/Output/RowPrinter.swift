import Embeddings

/// Prints rows, as JSON lines or as a table that is aligned piece by piece.
struct RowPrinter: ~Copyable {
  /// Rows whose columns are aligned together.
  private static let piece = 256

  private let dimension: Int
  private let asJSON: Bool
  private let elements: Int
  private let hasVectors: Bool
  private var out = Output()
  private var table: TextTable
  private var pending = 0
  private var isTitled = false

  /// - Parameters:
  ///   - elements: how many elements of each vector the table shows.
  ///   - hasVectors: whether JSON has the vectors.
  init(dimension: Int, asJSON: Bool, elements: Int, hasVectors: Bool) {
    self.dimension = dimension
    self.asJSON = asJSON
    self.elements = min(elements, dimension)
    self.hasVectors = hasVectors
    var columns: [(String, TextTable.Alignment)] = [
      ("row", .right), ("id", .left), ("frequency", .right), ("last step", .right),
      ("norm", .right),
    ]
    for i in 0..<self.elements { columns.append(("[\(i)]", .right)) }
    if self.elements > 0 && self.elements < dimension { columns.append(("", .left)) }
    table = TextTable(columns)
  }

  /// Prints row `i` of the batch.
  mutating func add(
    _ batch: borrowing RowBatch, _ i: Int, row: Int
  ) throws(EmbeddingError) {
    let vector = batch.vectors[i * dimension..<(i + 1) * dimension]
    let id = batch.ids[i]
    if asJSON {
      var members: [(String, JSON)] = [("row", .integer(row))] + id.members
      members += [
        ("frequency", .unsigned(batch.frequencies[i])),
        ("last_step", .integer(batch.lastSteps[i])), ("norm", .double(norm(vector))),
      ]
      if hasVectors { members.append(("vector", .vector(vector))) }
      try out.line(JSON.object(members).description)
      return
    }
    var cells = [
      grouped(row), id.shown, grouped(batch.frequencies[i]), grouped(batch.lastSteps[i]),
      fixed(norm(vector), 4),
    ]
    cells += vector.prefix(elements).map { fixed(Double($0), 4) }
    if elements > 0 && elements < dimension { cells.append("...") }
    table.add(cells)
    pending += 1
    if pending == Self.piece { try flushTable() }
  }

  /// Prints what is left.
  mutating func finish() throws(EmbeddingError) {
    if !asJSON && (pending > 0 || !isTitled) { try flushTable() }
    try out.flush()
  }

  private mutating func flushTable() throws(EmbeddingError) {
    for line in table.takeLines(titled: !isTitled) { try out.line(line) }
    isTitled = true
    pending = 0
  }
}
