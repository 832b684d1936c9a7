import StorageBase

/// Writes word2vec text, fastText `.vec` and GloVe, each float32 in the shortest decimal that
/// parses back to the same bits.
final class TextWriter: RowWriter {
  private var file: AtomicFile
  private var tally: RowTally
  private let vocabulary: VocabularyWriter?
  private var line: [UInt8] = []

  init(
    path: String, format: ExchangeFormat, tally: RowTally, options: WriterOptions
  ) throws(EmbeddingError) {
    file = try AtomicFile(path: path)
    self.tally = tally
    vocabulary = try options.vocabularyPath.map { (path) throws(EmbeddingError) in
      try VocabularyWriter(path: path)
    }
    if format != .glove { try file.write(Array("\(tally.count) \(tally.dimension)\n".utf8)) }
  }

  func write(_ batch: borrowing RowBatch) throws(EmbeddingError) {
    try tally.add(batch)
    try vocabulary?.write(batch)
    let dimension = tally.dimension
    for row in 0..<batch.count {
      line.removeAll(keepingCapacity: true)
      try appendWord(batch.ids, row, to: &line)
      for i in (row * dimension)..<((row + 1) * dimension) {
        line.append(UInt8(ascii: " "))
        FloatText.append(batch.vectors[i], to: &line)
      }
      line.append(UInt8(ascii: "\n"))
      try file.write(line)
    }
  }

  func finish() throws(EmbeddingError) {
    try tally.finish()
    try vocabulary?.finish()
    try file.commit()
  }
}
