import Embeddings

/// What one batch came to.
struct BatchResult: Sendable {
  /// Words of the text, those not trained on included.
  var words = 0
  /// Pairs trained.
  var pairs = 0
  /// The sum of the pairs' losses.
  var loss = 0.0

  static func += (sum: inout BatchResult, other: BatchResult) {
    sum.words += other.words
    sum.pairs += other.pairs
    sum.loss += other.loss
  }
}

/// Trains one batch after another: lookup, loss and gradients, update. One for each thread; it keeps
/// its memory from batch to batch.
///
/// **Why steps are taken on a local copy.** gensim and word2vec.c apply every pair's step at once.
/// A frequent word has thousands of pairs in a batch of 10,000 words; gradients taken at the same
/// vectors and summed would overshoot by that factor and diverge, and batches small enough to avoid
/// it would read and write the store for a handful of words at a time. So with plain SGD the pairs
/// are trained one after the other on the batch's own copy of its rows, exactly as gensim would, and
/// the store gets the difference as one gradient a row, applied at learning rate 1. With one thread
/// that gives the same vectors as training in place, whatever the batch size; with several, the
/// differences of batches trained side by side add up, as in gensim's lock-free threads.
///
/// Adagrad divides by the root of the summed squares, so large sums do no harm: there the gradients
/// of a batch are summed at the rows as they were, and the store's optimizer takes one step a row.
struct BatchTrainer {
  private let tables: WordTables
  private let schedule: Schedule
  private let skipGram: SkipGram
  private var plan = BatchPlan()
  private var inputs = LocalRows()
  private var contexts = LocalRows()
  private var inputStep: [Float]

  init(_ tables: WordTables, _ schedule: Schedule) {
    self.tables = tables
    self.schedule = schedule
    skipGram = SkipGram(dimension: schedule.parameters.dimension)
    inputStep = [Float](repeating: 0, count: schedule.parameters.dimension)
  }

  /// Trains `batch`, which is number `number`.
  mutating func train(
    _ batch: WordBatch, number: Int, subsampling: Subsampling, pool: NegativePool
  ) throws(EmbeddingError) -> BatchResult {
    let parameters = schedule.parameters
    let dimension = parameters.dimension
    var generator = schedule.generator(ofBatch: number)
    try plan.make(
      batch, from: tables.words, subsampling, pool, window: parameters.window,
      negativesPerPair: parameters.negatives, using: &generator)
    var result = BatchResult(words: batch.count, pairs: plan.pairs)
    guard plan.pairs > 0 else { return result }
    try inputs.lookUp(plan.rows, count: plan.inputRows, in: tables.words, dimension: dimension)
    try contexts.lookUp(
      plan.rows, count: plan.rows.count, in: tables.contexts, dimension: dimension)
    var rate = schedule.learningRate(ofBatch: number)
    switch parameters.optimizer {
    case .sgd:
      result.loss = trainInPlace(rate: rate)
      rate = 1
    case .adagrad:
      result.loss = sumGradients()
    }
    let step = schedule.step(ofBatch: number)
    try inputs.update(tables.words, step: step, learningRate: rate)
    try contexts.update(tables.contexts, step: step, learningRate: rate)
    return result
  }

  /// Trains the local rows pair by pair; their gradients become what they changed by.
  private mutating func trainInPlace(rate: Float) -> Double {
    inputs.keepVectors()
    contexts.keepVectors()
    // Unsafe: several rows of one array are read and written at once.
    var (inputVectors, contextVectors) = (inputs.vectors, contexts.vectors)
    (inputs.vectors, contexts.vectors) = ([], [])
    let loss = inputVectors.withUnsafeMutableBufferPointer { inputs in
      contextVectors.withUnsafeMutableBufferPointer { contexts in
        run(
          rate: rate, inputs: inputs.baseAddress!, inputSteps: inputs.baseAddress!,
          contexts: contexts.baseAddress!, contextSteps: contexts.baseAddress!)
      }
    }
    (inputs.vectors, contexts.vectors) = (inputVectors, contextVectors)
    inputs.makeDifferences()
    contexts.makeDifferences()
    return loss
  }

  /// Sums the gradients of all pairs at the vectors as they are.
  private mutating func sumGradients() -> Double {
    inputs.clearGradients()
    contexts.clearGradients()
    var (inputGradients, contextGradients) = (inputs.gradients, contexts.gradients)
    (inputs.gradients, contexts.gradients) = ([], [])
    let (inputVectors, contextVectors) = (inputs.vectors, contexts.vectors)
    // Unsafe: as above. A step at rate -1 is the gradient.
    let loss = inputVectors.withUnsafeBufferPointer { inputs in
      contextVectors.withUnsafeBufferPointer { contexts in
        inputGradients.withUnsafeMutableBufferPointer { inputSteps in
          contextGradients.withUnsafeMutableBufferPointer { contextSteps in
            run(
              rate: -1, inputs: inputs.baseAddress!, inputSteps: inputSteps.baseAddress!,
              contexts: contexts.baseAddress!, contextSteps: contextSteps.baseAddress!)
          }
        }
      }
    }
    (inputs.gradients, contexts.gradients) = (inputGradients, contextGradients)
    return loss
  }

  /// Goes through all pairs, reading vectors and adding to steps; returns the sum of the losses.
  private mutating func run(
    rate: Float, inputs: UnsafePointer<Float>, inputSteps: UnsafeMutablePointer<Float>,
    contexts: UnsafePointer<Float>, contextSteps: UnsafeMutablePointer<Float>
  ) -> Double {
    let dimension = skipGram.dimension
    let skipGram = skipGram
    let perPair = schedule.parameters.negatives
    var loss = 0.0
    let plan = plan
    inputStep.withUnsafeMutableBufferPointer { step in
      plan.negatives.withUnsafeBufferPointer { negatives in
        let step = step.baseAddress!
        var next = 0
        plan.forEachPair { input, predicted in
          let vector = inputs + input * dimension
          for i in 0..<dimension { step[i] = 0 }
          var pairLoss = skipGram.step(
            input: vector, inputStep: step, context: contexts + predicted * dimension,
            contextStep: contextSteps + predicted * dimension, isPositive: true, rate: rate)
          for i in next..<next + perPair {
            let negative = Int(negatives[i])
            // As gensim: a negative that is the predicted word itself is passed over.
            if negative == predicted { continue }
            pairLoss += skipGram.step(
              input: vector, inputStep: step, context: contexts + negative * dimension,
              contextStep: contextSteps + negative * dimension, isPositive: false, rate: rate)
          }
          next += perPair
          skipGram.add(step, to: inputSteps + input * dimension)
          loss += Double(pairLoss)
        }
      }
    }
    return loss
  }
}
