import Exchange
public import StorageBase

/// What a file of embeddings says of itself.
public struct FileDescription: Sendable, Hashable {
  /// The format.
  public var format: FileFormat
  /// Floats in each vector.
  public var dimension: Int
  /// What the ids are.
  public var idType: IDType
  /// The number of rows that the file promises; nil where the format does not say (GloVe).
  public var declaredCount: Int?

  /// Describes a file.
  public init(format: FileFormat, dimension: Int, idType: IDType, declaredCount: Int? = nil) {
    self.format = format
    self.dimension = dimension
    self.idType = idType
    self.declaredCount = declaredCount
  }
}

/// Reads as much of a file as says what it is: enough to create a table that fits before importing.
///
///     let file = try inspectFile("GoogleNews.bin")
///     let words = try database.table(
///       "words", TableConfiguration(dimension: file.dimension, idType: file.idType))
///     try words.importFile("GoogleNews.bin")
///
/// - Throws: ``EmbeddingError/Code/unsupportedFormat``, ``EmbeddingError/Code/malformedInput``,
///   ``EmbeddingError/Code/notFound``; ``EmbeddingError/Code/invalidArgument`` for standard input,
///   which can be read only once.
public func inspectFile(
  _ path: String, _ options: FileImportOptions = FileImportOptions()
) throws(EmbeddingError) -> FileDescription {
  try refuseStandardInput(path)
  var readerOptions = options.readerOptions(for: nil)
  // Nothing is counted here.
  readerOptions.vocabularyPath = nil
  let reader = try openRowReader(path: path, options: readerOptions)
  return FileDescription(
    format: FileFormat(reader.format), dimension: reader.dimension, idType: reader.idType,
    declaredCount: reader.declaredCount)
}
