import ArgumentParser

/// What the vectors depend on; stored with the database, and not to be changed while it is trained.
struct ModelOptions: ParsableArguments {
  @Option(help: "Floats in each vector.")
  var dim = 100

  @Option(help: "The widest reach of a word's window; each is drawn from 1 to this.")
  var window = 5

  @Option(help: "Negatives for each pair.")
  var negative = 5

  @Option(help: "Passes over the text.")
  var epochs = 5

  @Option(help: "The learning rate at the start: 0.025 for sgd, 0.1 for adagrad unless given.")
  var alpha: Float?

  @Option(help: "The learning rate at the end, reached in a straight line.")
  var minAlpha: Float = 0.0001

  @Option(help: "The share of the text above which a word is thinned out; 0 for never.")
  var sample = 1e-3

  @Option(help: "Words that occur less often are not trained.")
  var minCount: UInt64 = 5

  @Option(help: "Negatives are drawn by frequency to this power.")
  var distortion: Float = 0.75

  @Option(help: "How steps are taken: sgd (pair by pair) or adagrad (a batch at a time).")
  var optimizer = OptimizerChoice.sgd

  @Flag(
    inversion: .prefixedNo,
    help: "Count all words before training. Without, frequencies grow as training goes.")
  var countingPass = true

  @Option(help: "Words in a batch, at least: 10000 for sgd, 500 for adagrad unless given.")
  var batchWords: Int?

  @Option(help: "Words in a sentence, at most; longer lines are cut.")
  var sentenceWords = 10_000

  @Option(help: "Commit, and draw new negatives from the store, every so many batches.")
  var commitEvery: Int?

  @Option(help: "Candidate negatives drawn from the store at a time.")
  var pool = 50_000

  @Option(help: "The seed of everything random.")
  var seed: UInt64 = 1

  func validate() throws {
    try require(dim >= 1 && dim <= 8192, "--dim lies in 1...8192.")
    try require(window >= 1 && window <= 1000, "--window lies in 1...1000.")
    try require(negative >= 1 && negative <= 1000, "--negative lies in 1...1000.")
    try require(epochs >= 1, "--epochs is at least 1.")
    let alpha = parameters.learningRate
    try require(alpha > 0 && alpha.isFinite, "--alpha is above 0.")
    try require(minAlpha >= 0 && minAlpha <= alpha, "--min-alpha lies in 0...alpha.")
    try require(sample >= 0 && sample.isFinite, "--sample is 0 or more.")
    try require(distortion >= 0 && distortion <= 8, "--distortion lies in 0...8.")
    try require(
      (1...10_000_000).contains(parameters.layout.batchWords), "--batch-words is 1 to 10000000.")
    try require((1...1_000_000).contains(sentenceWords), "--sentence-words is 1 to 1000000.")
    try require(parameters.commitInterval >= 1, "--commit-every is at least 1.")
    try require((1...100_000_000).contains(pool), "--pool is 1 to 100000000.")
  }

  private func require(_ condition: Bool, _ message: String) throws {
    if !condition { throw ValidationError(message) }
  }

  var parameters: Parameters {
    var parameters = Parameters()
    let isSGD = optimizer == .sgd
    parameters.dimension = dim
    parameters.window = window
    parameters.negatives = negative
    parameters.epochs = epochs
    parameters.learningRate = alpha ?? (isSGD ? 0.025 : 0.1)
    parameters.minimumLearningRate = minAlpha
    parameters.sample = sample
    parameters.minimumCount = minCount
    parameters.distortion = distortion
    parameters.layout.batchWords = batchWords ?? (isSGD ? 10_000 : 500)
    parameters.layout.sentenceWords = sentenceWords
    parameters.commitInterval = commitEvery ?? max(1, 500_000 / parameters.layout.batchWords)
    parameters.poolSize = pool
    parameters.seed = seed
    parameters.optimizer = optimizer
    parameters.hasCountingPass = countingPass
    return parameters
  }
}
