import Embeddings
import Glibc
import TestSupport
import Testing

@testable import word2vec

@Suite struct TrainingTests {
  /// The steps must be those of the loss's derivative, by central differences in double precision.
  @Test(arguments: [true, false], [3, 8, 21])
  func stepsFollowTheGradientOfTheLoss(isPositive: Bool, dimension: Int) {
    var generator = Generator(state: 9)
    let input = (0..<dimension).map { _ in Float(generator.unit() - 0.5) }
    let context = (0..<dimension).map { _ in Float(generator.unit() - 0.5) }
    var inputStep = [Float](repeating: 0, count: dimension)
    var contextStep = inputStep
    let loss = SkipGram(dimension: dimension).step(
      input: input, inputStep: &inputStep, context: context, contextStep: &contextStep,
      isPositive: isPositive, rate: -1)
    func exactLoss(_ input: [Double], _ context: [Double]) -> Double {
      let dot = zip(input, context).map(*).reduce(0, +)
      return log(1 + exp(isPositive ? -dot : dot))
    }
    let (v, u) = (input.map(Double.init), context.map(Double.init))
    #expect(abs(Double(loss) - exactLoss(v, u)) < 0.01)
    for i in 0..<dimension {
      var (low, high) = (v, v)
      low[i] -= 1e-5
      high[i] += 1e-5
      // The sigmoid's table has steps of 0.012, which change it by 0.003 at most.
      let byInput = (exactLoss(high, u) - exactLoss(low, u)) / 2e-5
      #expect(abs(Double(inputStep[i]) - byInput) < 0.003)
      (low, high) = (u, u)
      low[i] -= 1e-5
      high[i] += 1e-5
      let byContext = (exactLoss(v, high) - exactLoss(v, low)) / 2e-5
      #expect(abs(Double(contextStep[i]) - byContext) < 0.003)
    }
  }

  /// gensim 4.4: `sample_int / 2^32` of words of these counts, sample 1e-3, 489,454 words.
  @Test func wordsAreThinnedOutAsInGensim() {
    let subsampling = Subsampling(threshold: 1e-3, minimumCount: 5, totalWords: 489_454)
    func probability(_ frequency: UInt64) -> Double {
      subsampling.keepProbability(RowMetadata(frequency: frequency, isPresent: true))
    }
    #expect(probability(4) == 0)
    #expect(probability(5) == 1)
    #expect(probability(489) == 1)
    #expect(abs(probability(5_000) - 0.4107659) < 1e-6)
    #expect(abs(probability(35_000) - 0.1322401) < 1e-6)
    #expect(subsampling.keepProbability(RowMetadata()) == 0)
  }

  @Test func theLearningRateFallsInAStraightLine() throws {
    let directory = TemporaryDirectory()
    var parameters = Parameters()
    parameters.layout = CorpusLayout(batchWords: 10, sentenceWords: 10)
    let path = write(makeText(words: 100, vocabulary: 9, seed: 1), to: "text", in: directory)
    let schedule = Schedule(
      parameters: parameters, summary: try CorpusSummary(of: path, layout: parameters.layout))
    #expect(schedule.learningRate(ofBatch: 0) == 0.025)
    #expect(abs(schedule.learningRate(ofBatch: schedule.batchCount / 2) - 0.01255) < 0.001)
    #expect(schedule.learningRate(ofBatch: schedule.batchCount) == 0.0001)
  }

  @Test func equalValuesShareTheirMeanRank() {
    #expect(spearman([1, 2, 3, 4], [10, 20, 30, 40]) == 1)
    #expect(spearman([1, 2, 3, 4], [4, 3, 2, 1]) == -1)
    // scipy.stats.spearmanr([1, 2, 2, 3, 5], [2, 1, 4, 4, 3])
    #expect(abs(spearman([1, 2, 2, 3, 5], [2, 1, 4, 4, 3]) - 0.3947368) < 1e-6)
  }

  @Test func numbersHaveTheDecimalsAskedFor() {
    #expect(12.3456.text(decimals: 2) == "12.35")
    #expect((-0.004).text(decimals: 2) == "0.00")
    #expect((-1.5).text(decimals: 1) == "-1.5")
    #expect(3.04.text(decimals: 1) == "3.0")
    #expect(7.0.text(decimals: 0) == "7")
    #expect(Double.nan.text(decimals: 1) == "nan")
  }
}
