import StorageBase

/// Writes word2vec's binary format, in the dialect that the options name.
final class Word2vecBinaryWriter: RowWriter {
  private var file: AtomicFile
  private var tally: RowTally
  private let vocabulary: VocabularyWriter?
  private let newline: Bool
  private var record: [UInt8] = []

  init(path: String, tally: RowTally, options: WriterOptions) throws(EmbeddingError) {
    file = try AtomicFile(path: path)
    self.tally = tally
    newline = options.newlineAfterRecord
    vocabulary = try options.vocabularyPath.map { (path) throws(EmbeddingError) in
      try VocabularyWriter(path: path)
    }
    try file.write(Array("\(tally.count) \(tally.dimension)\n".utf8))
  }

  func write(_ batch: borrowing RowBatch) throws(EmbeddingError) {
    try tally.add(batch)
    try vocabulary?.write(batch)
    let dimension = tally.dimension
    for row in 0..<batch.count {
      record.removeAll(keepingCapacity: true)
      try appendWord(batch.ids, row, to: &record)
      record.append(UInt8(ascii: " "))
      try file.write(record)
      try file.write(
        batch.vectors.span.extracting((row * dimension)..<((row + 1) * dimension)).bytes)
      if newline { try file.write([0x0A]) }
    }
  }

  func finish() throws(EmbeddingError) {
    try tally.finish()
    try vocabulary?.finish()
    try file.commit()
  }
}
