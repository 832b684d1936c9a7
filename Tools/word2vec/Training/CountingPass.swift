import Embeddings

/// Counts the words of the text in the store before training, so that subsampling, negatives and the
/// minimum count know their frequencies from the first batch on, as in gensim.
///
/// Should the process be killed meanwhile, the next run goes on behind the last batch whose counts
/// are durable: before step 1, the commit point says how many batches have been counted.
struct CountingPass {
  let tables: WordTables
  let path: String
  let schedule: Schedule

  /// Does what is left to do before training.
  func run(_ progress: Progress) throws(EmbeddingError) {
    let database = tables.database
    if try database.lastCommit.step < Schedule.counted {
      try count(progress)
      try database.commit(step: Schedule.counted)
    }
    if try database.lastCommit.step < Schedule.pruned {
      if schedule.parameters.hasCountingPass {
        try tables.prune(
          minimumCount: schedule.parameters.minimumCount, step: Schedule.counted)
      }
      try database.commit(step: Schedule.pruned)
    }
  }

  private func count(_ progress: Progress) throws(EmbeddingError) {
    let parameters = schedule.parameters
    // Without the pass, the first batch alone: negatives are drawn from what is committed.
    let limit = parameters.hasCountingPass ? schedule.summary.batches : 1
    var queue = try BatchQueue(
      path: path, layout: parameters.layout, summary: schedule.summary, epochs: 1,
      first: Int(try tables.database.lastCommit.batches))
    while let (_, batch) = try queue.take(below: limit) {
      try tables.words.addFrequency(batch.words.batch)
      progress.counted(batch.count)
    }
  }
}
