import ArgumentParser
import Embeddings

/// Shows single rows.
struct Get: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show rows by id: vector, frequency, last step.",
    discussion: """
      Exits with 1 if an id has no row; the others are shown all the same.

      With --json: one object a line with id, found, frequency, last_step, norm, vector. Numbers \
      that JSON does not have are null. An id that is not UTF-8 also has id_hex.

      EXAMPLES:
        embstore get words.emb king queen
        embstore get model.emb --table users 42 --json
        embstore get model.emb --table users -- -7
        embstore get words.embsnap king
      """)

  @OptionGroup var database: SourceArguments
  @Argument(help: "The ids.")
  var ids: [String]
  @OptionGroup var table: TableOption
  @OptionGroup var output: OutputOptions

  func run() throws {
    let source = try database.open(table)
    let wanted = try parseIDs(ids, for: source)
    let (vectors, metadata) = try source.rows(wanted)
    let dimension = source.configuration.dimension
    var missing: [EmbeddingID] = []
    var out = Output()
    for i in 0..<wanted.count {
      let id = wanted[i]
      let vector = vectors[i * dimension..<(i + 1) * dimension]
      if output.json {
        try out.line(JSON.object(id.members + members(metadata[i], vector)).description)
      } else if metadata[i].isPresent {
        try out.line(
          "\(id.shown)  frequency \(grouped(metadata[i].frequency)), last step "
            + "\(metadata[i].lastStep), norm \(fixed(norm(vector), 4))")
        for line in wrapped(vector.map(\.description)) { try out.line("  " + line) }
      }
      if !metadata[i].isPresent { missing.append(id) }
    }
    try out.flush()
    guard missing.isEmpty else { throw noRow(missing, in: source) }
  }

  private func members(_ metadata: RowMetadata, _ vector: ArraySlice<Float>) -> [(String, JSON)] {
    guard metadata.isPresent else { return [("found", .bool(false))] }
    return [
      ("found", .bool(true)), ("frequency", .unsigned(metadata.frequency)),
      ("last_step", .integer(metadata.lastStep)), ("norm", .double(norm(vector))),
      ("vector", .vector(vector)),
    ]
  }
}

extension EmbeddingTable {
  /// Vectors and metadata of `ids`, both of the same commit.
  func rows(_ ids: IDColumn) throws(EmbeddingError) -> (vectors: [Float], metadata: [RowMetadata]) {
    while true {
      // Two calls may see two commits: then both are made again.
      let before = try database.read { (view) throws(EmbeddingError) in view.generation }
      let vectors = try lookup(ids)
      let metadata = try self.metadata(ids)
      let after = try database.read { (view) throws(EmbeddingError) in view.generation }
      if before == after { return (vectors, metadata) }
    }
  }
}

/// Words on lines of about 96 columns.
private func wrapped(_ words: [String]) -> [String] {
  var lines: [String] = []
  var line = ""
  for word in words {
    if !line.isEmpty && line.utf8.count + 1 + word.utf8.count > 96 {
      lines.append(line)
      line = ""
    }
    line += line.isEmpty ? word : " " + word
  }
  return line.isEmpty ? lines : lines + [line]
}
