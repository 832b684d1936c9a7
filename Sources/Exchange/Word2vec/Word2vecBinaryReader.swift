import StorageBase

/// Reads word2vec's binary format, in both dialects: newlines before a word belong to the record
/// before it.
final class Word2vecBinaryReader: RowReader {
  let format = ExchangeFormat.word2vecBinary
  let dimension: Int
  let idType: IDType
  let declaredCount: Int?
  private let count: Int
  private let source: ByteSource
  private let ids: IDParser
  private let vocabulary: Vocabulary?
  private let allowsNonFinite: Bool
  private var rows = 0

  init(
    _ source: ByteSource, options: ReaderOptions, vocabulary: Vocabulary?
  ) throws(EmbeddingError) {
    self.source = source
    self.vocabulary = vocabulary
    let header = try source.nextLine(maximum: 100) { TextHeader($0) }
    guard let header, let header else {
      throw source.malformed(at: 0, "expected the header '<count> <dimension>' on the first line.")
    }
    // A record is a word of a byte or more, a space and the values.
    let rest = source.contentSize.map { $0 - source.offset }
    if let objection = header.objection(size: rest, valueSize: 4, rowSize: 2) {
      throw source.malformed(at: 0, objection)
    }
    count = header.count
    declaredCount = header.count
    dimension = header.dimension
    idType = options.idType ?? .bytes
    ids = IDParser(type: idType, requiresUTF8: options.requiresUTF8)
    allowsNonFinite = options.allowsNonFinite
  }

  var progress: ReadProgress {
    ReadProgress(bytesRead: source.bytesRead, totalBytes: source.totalBytes)
  }

  func read(into batch: inout RowBatch, limit: Int) throws(EmbeddingError) -> Int {
    check(batch, limit)
    batch.removeAll()
    while batch.count < limit, rows < count {
      try readRow(into: &batch)
      rows += 1
    }
    if rows == count { try checkEnd() }
    return batch.count
  }

  private func readRow(into batch: inout RowBatch) throws(EmbeddingError) {
    try skipNewlines()
    let start = source.offset
    let word = try source.distance(to: UInt8(ascii: " "), maximum: Limits.word)
    guard let word else {
      if try source.fill(Limits.word + 1) > Limits.word {
        throw source.malformed("no word ends within \(Limits.word) bytes; is this word2vec binary?")
      }
      throw cutShort(start)
    }
    let read: Void? = try source.next(word + 1 + 4 * dimension) { (bytes) throws(EmbeddingError) in
      try ids.append(bytes.extracting(..<word), to: &batch.ids) { source.malformed($0) }
      try appendFloats(
        bytes.extracting((word + 1)...), as: .float32, to: &batch.vectors,
        allowsNonFinite: allowsNonFinite
      ) { source.malformed(at: start + word + 1 + $0, $1) }
    }
    guard read != nil else { throw cutShort(start) }
    if let vocabulary {
      batch.frequencies.append(vocabulary.frequency(of: batch.ids, at: batch.count - 1))
    }
  }

  private func skipNewlines() throws(EmbeddingError) {
    while try source.peek(1, { !$0.isEmpty && $0[0] == 0x0A }) { source.consume(1) }
  }

  private func cutShort(_ start: Int) -> EmbeddingError {
    source.malformed(
      at: start,
      "the file ends within row \(rows + 1) of the \(count) that its header promises; it is cut "
        + "short, or the header is wrong.")
  }

  private func checkEnd() throws(EmbeddingError) {
    try skipNewlines()
    guard try source.fill(1) == 0 else {
      throw source.malformed(
        "more bytes after the \(count) rows that the header promises; correct the header.")
    }
  }
}
