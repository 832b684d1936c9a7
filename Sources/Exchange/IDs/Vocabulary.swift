import StorageBase

/// The counts of a vocabulary file: `key count` lines, as word2vec's `-save-vocab` and gensim's
/// `fvocab` have them. Held in memory whole.
final class Vocabulary {
  private var counts: [EmbeddingID: UInt64] = [:]

  init(path: String) throws(EmbeddingError) {
    let source = try ByteSource(path: path)
    while true {
      let entry = try source.nextLine(maximum: Limits.line) { (line) throws(EmbeddingError) in
        try Self.parse(line, source)
      }
      guard let entry else { break }
      // The first of duplicate keys counts, as gensim keeps the first of duplicate rows.
      if let (key, count) = entry, counts[key] == nil { counts[key] = count }
    }
  }

  /// The count of id `row`; 0 if the vocabulary does not have it.
  func frequency(of ids: borrowing IDColumn, at row: Int) -> UInt64 {
    switch ids.type {
    case .int64: counts[.bytes(Array(String(ids.int64s[row]).utf8))] ?? 0
    case .bytes: counts[ids[row]] ?? 0
    }
  }

  private static func parse(
    _ line: Span<UInt8>, _ source: ByteSource
  ) throws(EmbeddingError) -> (EmbeddingID, UInt64)? {
    let end = line.trimmedEnd
    if end == 0 { return nil }
    let start = line.fieldStart(before: end)
    let keyEnd = line.previousEnd(before: start)
    guard keyEnd > 0, let count = line.extracting(start..<end).decimalInteger(), count >= 0 else {
      throw source.malformedLine("expected a word and its count, not \(line.excerpt()).")
    }
    return (.bytes((0..<keyEnd).map { line[$0] }), UInt64(count))
  }
}

/// Writes a vocabulary file beside a file of words.
final class VocabularyWriter {
  private var file: AtomicFile
  private var line: [UInt8] = []

  init(path: String) throws(EmbeddingError) { file = try AtomicFile(path: path) }

  /// Appends `key count` for each row; a batch without frequencies counts 0.
  func write(_ batch: borrowing RowBatch) throws(EmbeddingError) {
    for row in 0..<batch.count {
      line.removeAll(keepingCapacity: true)
      try appendWord(batch.ids, row, to: &line)
      let count = batch.frequencies.isEmpty ? 0 : batch.frequencies[row]
      line.append(contentsOf: " \(count)\n".utf8)
      try file.write(line)
    }
  }

  func finish() throws(EmbeddingError) { try file.commit() }
}
