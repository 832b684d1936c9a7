package import StorageBase

/// What a caller may say about a file to write.
package struct WriterOptions: Sendable {
  /// The file of ids beside an npy; nil takes the npy's name with `.ids.npy` (Int64) or `.ids.txt`
  /// (byte strings) for its ending.
  package var idsPath: String?
  /// The name of the tensor with the vectors, for safetensors.
  package var tensorName: String
  /// Whether word2vec's binary format has a newline after each record, as word2vec itself writes
  /// it. gensim writes none, and reads both.
  package var newlineAfterRecord: Bool
  /// A file to write `key count` lines to, for the text and binary formats of words.
  package var vocabularyPath: String?

  package init(
    idsPath: String? = nil, tensorName: String = "embeddings", newlineAfterRecord: Bool = false,
    vocabularyPath: String? = nil
  ) {
    self.idsPath = idsPath
    self.tensorName = tensorName
    self.newlineAfterRecord = newlineAfterRecord
    self.vocabularyPath = vocabularyPath
  }
}

/// A file being written, a batch of rows at a time. It appears under its name with `finish()`,
/// whole; a writer that is dropped before leaves nothing behind.
package protocol RowWriter: AnyObject {
  /// Appends the rows of `batch`.
  ///
  /// - Precondition: `batch` has the dimension and id type that the writer was opened with.
  /// - Throws: ``EmbeddingError/Code/invalidArgument`` for an id that the format cannot hold, and
  ///   for more rows than were promised.
  func write(_ batch: borrowing RowBatch) throws(EmbeddingError)

  /// Makes the file durable and gives it its name.
  ///
  /// - Throws: ``EmbeddingError/Code/invalidArgument`` if fewer rows came than were promised.
  func finish() throws(EmbeddingError)
}

/// Creates `path` (standard output for `-`) to write `count` rows to.
///
/// - Throws: ``EmbeddingError/Code/invalidArgument`` where the format cannot hold such rows.
package func openRowWriter(
  path: String, format: ExchangeFormat, count: Int, dimension: Int, idType: IDType,
  options: WriterOptions = WriterOptions()
) throws(EmbeddingError) -> any RowWriter {
  guard count >= 0, (1...Limits.dimension).contains(dimension) else {
    throw EmbeddingError(
      .invalidArgument,
      "\(count) rows of dimension \(dimension) cannot be written; the count must be 0 or more, "
        + "and the dimension within 1...\(Limits.dimension).")
  }
  try check(options, for: format)
  let tally = RowTally(path: path, count: count, dimension: dimension, idType: idType)
  switch format {
  case .word2vecText, .fastText, .glove:
    return try TextWriter(path: path, format: format, tally: tally, options: options)
  case .word2vecBinary:
    return try Word2vecBinaryWriter(path: path, tally: tally, options: options)
  case .npy:
    return try NpyWriter(path: path, tally: tally, options: options)
  case .safetensors:
    return try SafetensorsWriter(path: path, tally: tally, options: options)
  case .tfra:
    return try TFRAWriter(path: path, tally: tally)
  }
}

/// Refuses options that the format has no use for, rather than leave them aside unsaid.
private func check(
  _ options: WriterOptions, for format: ExchangeFormat
) throws(EmbeddingError) {
  if format != .npy, options.idsPath != nil {
    throw EmbeddingError(
      .invalidArgument, "Only npy has its ids in another file; leave the file of ids out.")
  }
  if [.npy, .safetensors, .tfra].contains(format), options.vocabularyPath != nil {
    throw EmbeddingError(
      .invalidArgument, "A vocabulary is written beside formats of words, not \(format.rawValue).")
  }
}

/// The rows that a writer was promised, and those that came.
struct RowTally {
  let path: String
  let count: Int
  let dimension: Int
  let idType: IDType
  private(set) var written = 0

  init(path: String, count: Int, dimension: Int, idType: IDType) {
    self.path = path
    self.count = count
    self.dimension = dimension
    self.idType = idType
  }

  mutating func add(_ batch: borrowing RowBatch) throws(EmbeddingError) {
    precondition(batch.dimension == dimension, "the batch has another dimension than the writer")
    precondition(batch.ids.type == idType, "the batch has another id type than the writer")
    precondition(batch.vectors.count == batch.count * dimension, "the batch has vectors missing")
    written += batch.count
    guard written <= count else {
      throw EmbeddingError(
        .invalidArgument, "\(path) was opened for \(count) rows, and more were written to it.")
    }
  }

  func finish() throws(EmbeddingError) {
    guard written == count else {
      throw EmbeddingError(
        .invalidArgument,
        "\(path) was opened for \(count) rows, and only \(written) were written to it.")
    }
  }
}
