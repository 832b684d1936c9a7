import Embeddings

/// Writes the input vectors of the last commit as word2vec text, which gensim's
/// `KeyedVectors.load_word2vec_format` reads.
///
/// The words stand in the order of their rows; those that occur too seldom are left out.
struct VectorExport {
  let tables: WordTables
  let minimumCount: UInt64

  /// Writes the file; it appears whole or not at all.
  func write(to path: String) throws(EmbeddingError) {
    let count = try tables.total(minimumCount: minimumCount).words
    let dimension = tables.words.configuration.dimension
    var file = try AtomicFile(path: path)
    try file.write(Array("\(count) \(dimension)\n".utf8))
    var failure: EmbeddingError?
    try tables.words.forEachBatch(ofAtMost: 1024, includingSlots: false) {
      (batch) throws(EmbeddingError) in
      var text: [UInt8] = []
      for i in 0..<batch.count where batch.frequencies[i] >= minimumCount {
        batch.ids.withBytes(of: i) { text.append(contentsOf: $0) }
        for value in batch.vectors[i * dimension..<(i + 1) * dimension] {
          text.append(0x20)
          text.append(contentsOf: value.description.utf8)
        }
        text.append(0x0A)
      }
      do throws(EmbeddingError) { try file.write(text) } catch { failure = error }
      return failure == nil
    }
    if let failure { throw failure }
    try file.commit()
  }
}
