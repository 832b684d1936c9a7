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
    let thinned = documents.map { corpus.subsample($0, &generator) }
    // The words of the documents first: they are rows of both tables, the negatives of one only.
    var distinct: [Int32] = []
    for document in thinned { for word in document { insert(word, &distinct) } }
    let inputCount = distinct.count
    guard inputCount > 0 else { return }
    // Places of words of the batch, as all numbers of words from here on.
    var pool: [Int] = []
    for _ in 0..<parameters.pool {
      let word = corpus.negative(&generator)
      insert(word, &distinct)
      pool.append(Int(places[Int(word)]))
    }
    let documents = thinned.map { $0.map { places[Int($0)] } }
    let inputIDs = column(distinct[..<inputCount])
    let contextIDs = column(distinct)
    let inputsBefore = Rows(try words.lookup(inputIDs, mode: .training))
    let contextsBefore = Rows(try contexts.lookup(contextIDs, mode: .training))
    var (inputs, outputs) = (inputsBefore, contextsBefore)
    inputs.withPieces { inputs in
      outputs.withPieces { outputs in
        descend(documents, pool, inputs, outputs, rate: rate, &generator)
      }
    }
    try words.update(
      inputIDs, gradients: inputsBefore.gradients(to: inputs), step: step, counting: .none)
    try contexts.update(
      contextIDs, gradients: contextsBefore.gradients(to: outputs), step: step, counting: .none)
    for word in distinct { places[Int(word)] = -1 }
  }

  /// Takes one step for each pair, one after the other.
  private func descend(
    _ documents: [[Int32]], _ pool: [Int], _ inputs: UnsafeMutablePointer<Rows.Piece>,
    _ outputs: UnsafeMutablePointer<Rows.Piece>, rate: Float, _ generator: inout Generator
  ) {
    let (window, negatives) = (parameters.window, parameters.negatives)
    var inputStep = Rows([Float](repeating: 0, count: Rows.dimension))
    inputStep.withPieces { inputStep in
      forEachPair(of: documents, window: window, &generator) { word, context, generator in
        let input = inputs + word * Rows.width
        for i in 0..<Rows.width { inputStep[i] = Rows.Piece() }
        SkipGram.step(
          input: input, inputStep: inputStep,
          context: outputs + context * Rows.width, isPositive: true, rate: rate)
        for _ in 0..<negatives {
          let negative = pool[generator.number(below: pool.count)]
          if negative == context { continue }
          SkipGram.step(
            input: input, inputStep: inputStep,
            context: outputs + negative * Rows.width, isPositive: false, rate: rate)
        }
        for i in 0..<Rows.width { input[i] += inputStep[i] }
      }
    }
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
