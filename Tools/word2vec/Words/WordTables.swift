import Embeddings

/// The two tables of a model, in one database: one commit covers both.
struct WordTables: Sendable {
  let database: EmbeddingDatabase
  /// Input vectors, the words' own. Frequencies are the words' counts in the text.
  let words: EmbeddingTable
  /// Output vectors, read when a word is predicted.
  let contexts: EmbeddingTable

  init(_ database: EmbeddingDatabase, _ parameters: Parameters) throws(EmbeddingError) {
    self.database = database
    words = try database.table("words", parameters.wordsConfiguration)
    contexts = try database.table("contexts", parameters.contextsConfiguration)
  }

  /// The rows and the summed frequency of the words in the last commit that occur at least
  /// `minimumCount` times. One pass over the table.
  func total(minimumCount: UInt64) throws(EmbeddingError) -> (words: Int, occurrences: UInt64) {
    var total = (words: 0, occurrences: UInt64(0))
    try words.forEachBatch(ofAtMost: 4096, includingSlots: false) {
      (batch) throws(EmbeddingError) in
      for frequency in batch.frequencies where frequency >= minimumCount {
        total.words += 1
        total.occurrences += frequency
      }
      return true
    }
    return total
  }

  /// Deletes the words of the last commit that occur less often than `minimumCount`, committing as
  /// `step` now and then, so that it needs memory for some of them only.
  func prune(minimumCount: UInt64, step: Int64) throws(EmbeddingError) {
    while true {
      var rare = IDColumn(type: .bytes)
      try words.forEachBatch(ofAtMost: 4096, includingSlots: false) {
        (batch) throws(EmbeddingError) in
        for i in 0..<batch.count where batch.frequencies[i] < minimumCount {
          batch.ids.withBytes(of: i) { rare.append(bytes: $0) }
        }
        return rare.count < Self.prunedAtOnce
      }
      if rare.isEmpty { return }
      try words.delete(rare.batch)
      try database.commit(step: step)
    }
  }

  private static let prunedAtOnce = 1 << 18
}
