import StorageBase

/// Reads `count` rows of a raw row-major matrix, with their ids from beside it.
final class MatrixReader: RowReader {
  let format: ExchangeFormat
  let dimension: Int
  var idType: IDType { ids.type }
  var declaredCount: Int? { count }
  private let count: Int
  private let source: ByteSource
  private let elements: ElementType
  private let ids: any IDSource
  private let vocabulary: Vocabulary?
  private let allowsNonFinite: Bool
  private var rows = 0

  /// Reads the matrix that begins at the next byte of `source` and ends where `source` ends.
  ///
  /// - Precondition: `dimension * elements.size` has been checked to be small.
  init(
    _ source: ByteSource, format: ExchangeFormat, elements: ElementType, count: Int, dimension: Int,
    ids: any IDSource, options: ReaderOptions, vocabulary: Vocabulary?
  ) throws(EmbeddingError) {
    self.source = source
    self.format = format
    self.elements = elements
    self.count = count
    self.dimension = dimension
    self.ids = ids
    self.vocabulary = vocabulary
    allowsNonFinite = options.allowsNonFinite
    if let wanted = options.idType, wanted != ids.type {
      throw EmbeddingError(
        .invalidArgument,
        "\(source.name) has ids of type \(ids.type), not \(wanted); name a file of ids of "
          + "that type."
      )
    }
  }

  var progress: ReadProgress {
    ReadProgress(bytesRead: source.bytesRead, totalBytes: source.totalBytes)
  }

  func read(into batch: inout RowBatch, limit: Int) throws(EmbeddingError) -> Int {
    check(batch, limit)
    batch.removeAll()
    while batch.count < limit, rows < count {
      let start = source.offset
      let read: Void? = try source.next(dimension * elements.size) {
        (bytes) throws(EmbeddingError) in
        try appendFloats(
          bytes, as: elements, to: &batch.vectors, allowsNonFinite: allowsNonFinite
        ) { source.malformed(at: start + $0, $1) }
      }
      guard read != nil else {
        throw source.malformed(
          at: start, "the data ends within row \(rows + 1) of \(count); the file is cut short.")
      }
      try ids.appendNext(to: &batch.ids)
      if let vocabulary {
        batch.frequencies.append(vocabulary.frequency(of: batch.ids, at: batch.count - 1))
      }
      rows += 1
    }
    if rows == count {
      guard try source.fill(1) == 0 else {
        throw source.malformed("more bytes after the \(count) rows of the matrix.")
      }
      try ids.checkEnd(rows: count)
    }
    return batch.count
  }
}
