package import StorageBase

/// How far a reader is, for a progress bar.
package struct ReadProgress: Sendable, Hashable {
  /// Bytes of the file consumed so far (compressed, if it is).
  package var bytesRead: Int
  /// The size of the file, or nil for a stream.
  package var totalBytes: Int?

  package init(bytesRead: Int, totalBytes: Int?) {
    self.bytesRead = bytesRead
    self.totalBytes = totalBytes
  }
}

/// The rows of one file, a batch at a time, in the memory of one batch.
///
/// Duplicate ids are handed on as they stand in the file; whoever stores them decides (gensim keeps
/// the first).
package protocol RowReader: AnyObject {
  /// The format being read.
  var format: ExchangeFormat { get }
  /// Floats in each vector; at least 1.
  var dimension: Int { get }
  /// What the ids of the rows are.
  var idType: IDType { get }
  /// The number of rows that the file promises; nil where the format does not say. A file that does
  /// not keep its promise is an error when its end is reached.
  var declaredCount: Int? { get }
  /// How far the reader is.
  var progress: ReadProgress { get }

  /// Replaces the rows of `batch` by the next ones, `limit` at most; 0 at the end.
  ///
  /// - Precondition: `batch` has the reader's dimension and id type (see ``makeBatch()``), and
  ///   `limit` is positive.
  /// - Throws: ``EmbeddingError/Code/malformedInput``, with the file's name and the line or byte
  ///   offset, after which neither the batch nor the reader is of use.
  func read(into batch: inout RowBatch, limit: Int) throws(EmbeddingError) -> Int
}

extension RowReader {
  /// An empty batch that fits the reader.
  package func makeBatch() -> RowBatch { RowBatch(idType: idType, dimension: dimension) }

  func check(_ batch: borrowing RowBatch, _ limit: Int) {
    precondition(batch.dimension == dimension, "the batch has another dimension than the reader")
    precondition(batch.ids.type == idType, "the batch has another id type than the reader")
    precondition(limit > 0, "a batch holds at least one row")
  }
}

/// Opens `path` (standard input for `-`) for reading rows. Zstandard content is decompressed.
///
/// - Throws: ``EmbeddingError/Code/unsupportedFormat`` for a format that is not read here, with
///   what to do about it; ``EmbeddingError/Code/malformedInput`` for a header that cannot be.
package func openRowReader(
  path: String, options: ReaderOptions = ReaderOptions()
) throws(EmbeddingError) -> any RowReader {
  try check(options)
  if options.format == .tfra || (options.format == nil && isTFRAPath(path)) {
    return try openTFRA(path: path, options: options, vocabulary: vocabulary(options))
  }
  let source = try ByteSource(path: path)
  let format: ExchangeFormat
  if let named = options.format {
    // A container that no reader understands is named as such, whatever the caller called it.
    try source.peek(ExchangeFormat.peekLength) { (bytes) throws(EmbeddingError) in
      try refuseForeignFormats(bytes, name: source.name)
    }
    format = named
  } else {
    format = try ExchangeFormat.detect(source, path: path)
  }
  try check(options, for: format)
  let vocabulary = try vocabulary(options)
  switch format {
  case .word2vecText, .fastText, .glove:
    return try TextReader(source, format: format, options: options, vocabulary: vocabulary)
  case .word2vecBinary:
    return try Word2vecBinaryReader(source, options: options, vocabulary: vocabulary)
  case .npy:
    return try openNpy(source, options: options, vocabulary: vocabulary)
  case .safetensors:
    guard !source.isCompressed else {
      throw EmbeddingError(
        .invalidArgument,
        "\(source.name) is compressed, and safetensors is read in any order; decompress it first.")
    }
    return try openSafetensors(path: path, options: options, vocabulary: vocabulary)
  case .tfra:
    return try openTFRA(path: path, options: options, vocabulary: vocabulary)
  }
}

private func vocabulary(_ options: ReaderOptions) throws(EmbeddingError) -> Vocabulary? {
  try options.vocabularyPath.map { (path) throws(EmbeddingError) in try Vocabulary(path: path) }
}

/// Refuses options that the format has no use for, rather than leave them aside unsaid.
private func check(
  _ options: ReaderOptions, for format: ExchangeFormat
) throws(EmbeddingError) {
  let hasIDs = ![.npy, .safetensors].contains(format)
  if hasIDs, options.idsPath != nil {
    throw EmbeddingError(
      .invalidArgument, "A \(format.rawValue) file has ids of its own; leave the file of ids out.")
  }
  if format != .safetensors, options.tensorName != nil {
    throw EmbeddingError(
      .invalidArgument, "A \(format.rawValue) file has no tensors; leave the tensor's name out.")
  }
}

private func check(_ options: ReaderOptions) throws(EmbeddingError) {
  guard let dimension = options.dimension else { return }
  guard (1...Limits.dimension).contains(dimension) else {
    throw EmbeddingError(
      .invalidArgument, "The dimension \(dimension) is not within 1...\(Limits.dimension).")
  }
}
