import Embeddings

/// The ids of the command line as a column: UTF-8 bytes, or integers, as the table has them.
func parseIDs(_ words: [String], for source: Source) throws(EmbeddingError) -> IDColumn {
  var ids = IDColumn(type: source.configuration.idType)
  for word in words { ids.append(try parseID(word, for: source)) }
  return ids
}

/// One id of the command line.
func parseID(_ word: String, for source: Source) throws(EmbeddingError) -> EmbeddingID {
  switch source.configuration.idType {
  case .bytes:
    guard !word.isEmpty else {
      throw EmbeddingError(.invalidArgument, "An id is empty; an id has at least one byte.")
    }
    return EmbeddingID(word)
  case .int64:
    guard let value = Int64(word) else {
      throw EmbeddingError(
        .invalidArgument,
        "'\(EmbeddingID(word).shown)' is not an id of \(source.title), whose ids are 64-bit "
          + "integers.")
    }
    return .int64(value)
  }
}

/// The error that ids have no row.
func noRow(_ ids: [EmbeddingID], in source: Source) -> EmbeddingError {
  let names = ids.prefix(10).map { "'\($0.shown)'" }.joined(separator: ", ")
  let more = ids.count > 10 ? " and \(grouped(ids.count - 10)) more" : ""
  let title = source.title
  return EmbeddingError(
    .notFound, "\(title.prefix(1).uppercased())\(title.dropFirst()) has no row for \(names)\(more)."
  )
}
