import Embeddings

/// Trains batches of documents; keeps its memory from one to the next.
struct WordBatch {
  private let words: EmbeddingTable
  private let contexts: EmbeddingTable
  private let corpus: Corpus
  private let parameters: WordExperiment.Parameters
  /// The place of each word among the rows of the batch, or -1.
  private var places: [Int32]

  init(
    words: EmbeddingTable, contexts: EmbeddingTable, corpus: Corpus,
    parameters: WordExperiment.Parameters
  ) {
    self.words = words
    self.contexts = contexts
    self.corpus = corpus
    self.parameters = parameters
    places = [Int32](repeating: -1, count: corpus.words.count)
  }

  /// Counts each occurrence as a sighting.
  func count(_ documents: [[Int32]]) throws(EmbeddingError) {
    let ids = column(documents.joined())
    try words.addFrequency(ids.batch)
    try contexts.addFrequency(ids.batch)
  }

  /// One pass over the pairs of the documents.
  mutating func train(
    _ documents: [[Int32]], step: Int64, rate: Float, _ generator: inout Generator
  ) throws(EmbeddingError) {
    let documents = documents.map { corpus.subsample($0, &generator) }
    // The words of the documents first: they are rows of both tables, the negatives of one only.
    var distinct: [Int32] = []
    for document in documents { for word in document { insert(word, &distinct) } }
    let inputCount = distinct.count
    guard inputCount > 0 else { return }
    var pool: [Int32] = []
    for _ in 0..<parameters.pool {
      let word = corpus.negative(&generator)
      insert(word, &distinct)
      pool.append(word)
    }
    let inputIDs = column(distinct[..<inputCount])
    let contextIDs = column(distinct)
    let inputsBefore = SkipGram.rows(try words.lookup(inputIDs, mode: .training))
    let contextsBefore = SkipGram.rows(try contexts.lookup(contextIDs, mode: .training))
    var (inputs, outputs) = (inputsBefore, contextsBefore)
    let (places, negatives) = (places, parameters.negatives)
    forEachPair(of: documents, window: parameters.window, &generator) { input, context, generator in
      let place = Int(places[Int(input)])
      let vector = inputs[place]
      var inputStep = Row()
      SkipGram.step(
        input: vector, inputStep: &inputStep, context: &outputs[Int(places[Int(context)])],
        isPositive: true, rate: rate)
      for _ in 0..<negatives {
        let negative = pool[generator.number(below: pool.count)]
        if negative == context { continue }
        SkipGram.step(
          input: vector, inputStep: &inputStep, context: &outputs[Int(places[Int(negative)])],
          isPositive: false, rate: rate)
      }
      inputs[place] = vector + inputStep
    }
    try words.update(
      inputIDs, gradients: SkipGram.gradients(from: inputsBefore, to: inputs), step: step,
      counting: .none)
    try contexts.update(
      contextIDs, gradients: SkipGram.gradients(from: contextsBefore, to: outputs), step: step,
      counting: .none)
    for word in distinct { self.places[Int(word)] = -1 }
  }

  private mutating func insert(_ word: Int32, _ distinct: inout [Int32]) {
    guard places[Int(word)] < 0 else { return }
    places[Int(word)] = Int32(distinct.count)
    distinct.append(word)
  }

  private func column(_ numbers: some Sequence<Int32>) -> IDColumn {
    var column = IDColumn(type: .bytes)
    for number in numbers { column.append(corpus.words[Int(number)]) }
    return column
  }
}
