import Embeddings

/// Keeps the frequencies in the store up to date where no pass has counted them before training.
///
/// Then each batch of the first epoch is counted just before it is trained, and shares are shares of
/// the text read so far. From the second epoch on the frequencies are those of the whole text, and
/// stay as they are.
struct WordCounter: Sendable {
  private let schedule: Schedule
  private let occurrences: UInt64

  /// - Parameter occurrences: how often the words that are frequent enough occur, if they have been
  ///   counted.
  init(_ schedule: Schedule, occurrences: UInt64) {
    self.schedule = schedule
    self.occurrences = occurrences
  }

  /// Counts a batch, if need be, and says how to thin it out.
  func count(
    _ batch: WordBatch, number: Int, in table: EmbeddingTable
  ) throws(EmbeddingError) -> Subsampling {
    let parameters = schedule.parameters
    var total = occurrences
    if !parameters.hasCountingPass {
      // The first batch was counted as step 1.
      if number > 0 && number < schedule.summary.batches {
        try table.addFrequency(batch.words.batch)
      }
      // Batches are about equally long, so that this, too, is a function of the step.
      let seen = min(number + 1, schedule.summary.batches)
      total = UInt64(schedule.summary.words * seen / schedule.summary.batches)
    }
    return Subsampling(
      threshold: parameters.sample, minimumCount: parameters.minimumCount, totalWords: total)
  }
}
