import Embeddings

/// Skip-gram with negative sampling over two tables with words as ids, both varied: `words`, whose
/// rows are the result, and `contexts`.
///
/// Each batch is trained pair by pair on its own copy of the rows, and the store gets the difference
/// as one gradient a row, as in the tool `word2vec`. Windows, thinning and negatives are drawn from
/// the text alone, so that all variants of a seed train on the same pairs. An occurrence in the text
/// is a sighting, a negative is not.
struct WordExperiment: Experiment {
  /// What training depends on, the same for all variants.
  struct Parameters: Sendable {
    var epochs = 4
    var batchDocuments = 4
    var window = 5
    var negatives = 5
    /// Negatives that the pairs of a batch draw from.
    var pool = 1_024
    var learningRate: Float = 0.1
  }

  let name = "words"
  let tables = ["words", "contexts"]
  let variants = Variant.main
  let parameters: Parameters
  let corpus: Corpus
  let similarities: [(name: String, pairs: WordPairs)]
  let seed: UInt64

  init(
    _ lines: [Substring], similarities: [(name: String, pairs: WordPairs)],
    parameters: Parameters = Parameters(), seed: UInt64
  ) {
    self.parameters = parameters
    self.similarities = similarities
    self.seed = seed
    corpus = Corpus(lines, heldOutEvery: 20, seed: seed)
  }

  var idCount: Int { corpus.counts.count { $0 > 0 } }

  func train(_ database: EmbeddingDatabase, _ variant: Variant) throws(EmbeddingError) {
    let bound = 0.5 / Float(Rows.dimension)
    let plain = TableConfiguration(
      dimension: Rows.dimension, idType: .bytes, initializer: .uniform(-bound...bound), seed: seed,
      optimizer: .sgd(learningRate: 1))
    var configuration = variant.applied(to: plain, ids: idCount)
    let words = try database.table("words", configuration)
    configuration.initializer = .zeros
    let contexts = try database.table("contexts", configuration)
    var batch = WordBatch(words: words, contexts: contexts, corpus: corpus, parameters: parameters)
    var generator = Generator(seed: seed &+ 1)
    var order = Array(corpus.training.indices)
    var step: Int64 = 0
    let batches = (order.count + parameters.batchDocuments - 1) / parameters.batchDocuments
    for epoch in 0..<parameters.epochs {
      generator.shuffle(&order)
      for start in stride(from: 0, to: order.count, by: parameters.batchDocuments) {
        let documents = order[start..<min(start + parameters.batchDocuments, order.count)].map {
          corpus.training[$0]
        }
        if epoch == 0 { try batch.count(documents) }
        let done = Float(step) / Float(batches * parameters.epochs)
        step += 1
        try batch.train(
          documents, step: step, rate: parameters.learningRate * max(1 - done, 1e-4), &generator)
      }
      try database.commit(step: step)
    }
  }

  func evaluate(
    _ database: EmbeddingDatabase
  ) throws(EmbeddingError) -> [(name: String, value: Double)] {
    let words = try database.table("words")
    let contexts = try database.table("contexts")
    var results = try losses(words, contexts)
    for (name, pairs) in similarities {
      results += try similarity(pairs, words).map { (name + $0.name, $0.value) }
    }
    return results
  }

  /// The mean loss of a pair of the held-out documents, over all pairs and over those with a word that
  /// occurs less than five times in the others. Words without a row read what the table has for them.
  private func losses(
    _ words: EmbeddingTable, _ contexts: EmbeddingTable
  ) throws(EmbeddingError) -> [(name: String, value: Double)] {
    let ids = IDColumn(corpus.words)
    let inputs = Rows(try words.lookup(ids))
    let outputs = Rows(try contexts.lookup(ids))
    var generator = Generator(seed: seed &+ 2)
    let documents = corpus.heldOut.map { corpus.subsample($0, &generator) }
    var (all, rare) = (Mean(), Mean())
    forEachPair(of: documents, window: parameters.window, &generator) { input, context, generator in
      var loss = SkipGram.loss(inputs.dot(input, outputs, context))
      for _ in 0..<parameters.negatives {
        let negative = Int(corpus.negative(&generator))
        loss += SkipGram.loss(-inputs.dot(input, outputs, negative))
      }
      all.add(Double(loss))
      if min(corpus.counts[input], corpus.counts[context]) < 5 { rare.add(Double(loss)) }
    }
    return [("loss", all.value), ("loss_rare", rare.value)]
  }

  /// The rank correlation with human judgements, over all pairs of words that were trained on, and over
  /// those of words that occur ten times at least, which have rows under every variant.
  private func similarity(
    _ pairs: WordPairs, _ words: EmbeddingTable
  ) throws(EmbeddingError) -> [(name: String, value: Double)] {
    var counts: [String: Int] = [:]
    for (word, count) in zip(corpus.words, corpus.counts) where count > 0 { counts[word] = count }
    let known = pairs.pairs.filter { counts[$0.first] != nil && counts[$0.second] != nil }
    let first = Rows(try words.lookup(IDColumn(known.map(\.first))))
    let second = Rows(try words.lookup(IDColumn(known.map(\.second))))
    let cosines = known.indices.map { i in
      Double(
        first.dot(i, second, i)
          / (first.dot(i, first, i) * second.dot(i, second, i)).squareRoot())
    }
    let frequent = known.indices.filter {
      min(counts[known[$0].first]!, counts[known[$0].second]!) >= 10
    }
    return [
      ("", spearman(known.map(\.score), cosines)),
      ("_frequent", spearman(frequent.map { known[$0].score }, frequent.map { cosines[$0] })),
    ]
  }
}

/// A mean.
private struct Mean {
  private var sum = 0.0
  private var count = 0

  mutating func add(_ value: Double) {
    sum += value
    count += 1
  }

  var value: Double { sum / Double(count) }
}
