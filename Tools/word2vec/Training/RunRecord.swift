import Embeddings

/// The parameters and the text that a database is trained with, in the file `word2vec.run` beside
/// the database's own: a run that resumes with others would end up with vectors of neither.
struct RunRecord: Sendable {
  static let fileName = "word2vec.run"

  /// Names and values, in the order in which they are written.
  let fields: [(name: String, value: String)]

  init(_ parameters: Parameters, _ summary: CorpusSummary) {
    fields =
      parameters.fields + [
        ("corpus-words", "\(summary.words)"), ("corpus-batches", "\(summary.batches)"),
        ("corpus-fingerprint", "\(summary.fingerprint)"),
      ]
  }

  /// Writes the record beside a database that has none and is new, or compares with the one there.
  func claim(_ database: EmbeddingDatabase) throws(EmbeddingError) {
    let path = database.path + "/" + Self.fileName
    let stored: [String: String]
    do throws(EmbeddingError) {
      stored = try Self.read(path)
    } catch {
      guard error.code == .notFound else { throw error }
      guard try database.tableNames.isEmpty else {
        throw EmbeddingError(
          .configurationMismatch,
          "The database \(database.path) has tables, but no \(Self.fileName): it was not made by "
            + "this tool. Name another directory.")
      }
      try write(to: path)
      return
    }
    for (name, value) in fields where stored[name] != value {
      throw EmbeddingError(
        .configurationMismatch,
        "The database \(database.path) is being trained with \(name) \(stored[name] ?? "(none)"), "
          + "not \(value). Give the same parameters and text to go on, or name another directory.")
    }
  }

  private func write(to path: String) throws(EmbeddingError) {
    var file = try AtomicFile(path: path)
    for (name, value) in fields { try file.write(Array("\(name) \(value)\n".utf8)) }
    try file.commit()
  }

  private static func read(_ path: String) throws(EmbeddingError) -> [String: String] {
    let source = try ByteSource(path: path)
    var fields: [String: String] = [:]
    while let line = try source.nextLine(
      maximum: 1 << 12,
      { (bytes) throws(EmbeddingError) in
        bytes.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
      })
    {
      let parts = line.split(separator: " ", maxSplits: 1)
      if parts.count == 2 { fields[String(parts[0])] = String(parts[1]) }
    }
    return fields
  }
}
