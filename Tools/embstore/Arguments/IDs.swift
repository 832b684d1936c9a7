import Embeddings

/// The ids of the command line as a column: UTF-8 bytes, or integers, as the table has them.
func parseIDs(_ words: [String], for table: EmbeddingTable) throws(EmbeddingError) -> IDColumn {
  var ids = IDColumn(type: table.configuration.idType)
  for word in words { ids.append(try parseID(word, for: table)) }
  return ids
}

/// One id of the command line.
func parseID(_ word: String, for table: EmbeddingTable) throws(EmbeddingError) -> EmbeddingID {
  switch table.configuration.idType {
  case .bytes:
    guard !word.isEmpty else {
      throw EmbeddingError(.invalidArgument, "An id is empty; an id has at least one byte.")
    }
    return EmbeddingID(word)
  case .int64:
    guard let value = Int64(word) else {
      throw EmbeddingError(
        .invalidArgument,
        "'\(EmbeddingID(word).shown)' is not an id of table \(table.name), whose ids are 64-bit "
          + "integers.")
    }
    return .int64(value)
  }
}

/// The error that ids have no row.
func noRow(_ ids: [EmbeddingID], in table: EmbeddingTable) -> EmbeddingError {
  let names = ids.prefix(10).map { "'\($0.shown)'" }.joined(separator: ", ")
  let more = ids.count > 10 ? " and \(grouped(ids.count - 10)) more" : ""
  return EmbeddingError(.notFound, "Table \(table.name) has no row for \(names)\(more).")
}
