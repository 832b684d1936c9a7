import ArgumentParser
import Embeddings

/// How the steps of a batch reach the store.
enum OptimizerChoice: String, Sendable, CaseIterable, ExpressibleByArgument {
  /// Pair by pair on a local copy of the rows, as word2vec.c and gensim do.
  case sgd
  /// The gradients of a batch summed at the rows as they were, then one Adagrad step a row.
  case adagrad
}

/// Everything that the trained vectors depend on, beside the text. A resumed run must have the same.
struct Parameters: Sendable {
  var dimension = 100
  var window = 5
  var negatives = 5
  var epochs = 5
  var learningRate: Float = 0.025
  var minimumLearningRate: Float = 0.0001
  var sample = 1e-3
  var minimumCount: UInt64 = 5
  var distortion: Float = 0.75
  var layout = CorpusLayout()
  var commitInterval = 50
  var poolSize = 50_000
  var seed: UInt64 = 1
  var optimizer = OptimizerChoice.sgd
  var hasCountingPass = true

  /// Names and values, for the record of a run.
  var fields: [(name: String, value: String)] {
    [
      ("dimension", "\(dimension)"), ("window", "\(window)"), ("negatives", "\(negatives)"),
      ("epochs", "\(epochs)"), ("learning-rate", "\(learningRate)"),
      ("minimum-learning-rate", "\(minimumLearningRate)"), ("sample", "\(sample)"),
      ("minimum-count", "\(minimumCount)"), ("distortion", "\(distortion)"),
      ("batch-words", "\(layout.batchWords)"), ("sentence-words", "\(layout.sentenceWords)"),
      ("commit-interval", "\(commitInterval)"), ("pool-size", "\(poolSize)"), ("seed", "\(seed)"),
      ("optimizer", optimizer.rawValue), ("counting-pass", "\(hasCountingPass)"),
    ]
  }

  /// The input table, from which vectors are exported; its frequencies are the words' counts.
  /// Starts like gensim's: uniform within half of 1/dimension.
  var wordsConfiguration: TableConfiguration {
    let bound = 0.5 / Float(dimension)
    return TableConfiguration(
      dimension: dimension, idType: .bytes, initializer: .uniform(-bound...bound), seed: seed,
      optimizer: tableOptimizer)
  }

  /// The output table (word2vec's `syn1neg`), which starts at zero.
  var contextsConfiguration: TableConfiguration {
    TableConfiguration(
      dimension: dimension, idType: .bytes, initializer: .zeros, seed: seed,
      optimizer: tableOptimizer)
  }

  private var tableOptimizer: any Optimizer {
    switch optimizer {
    case .sgd: SGD(learningRate: 1)
    case .adagrad: Adagrad(learningRate: learningRate, initialAccumulator: 0.1, epsilon: 1e-7)
    }
  }
}
