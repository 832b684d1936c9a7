import ArgumentParser
import Embeddings
import Machine

@main
struct AdmissionEvidence: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "admission",
    abstract: "Trains small models with every way to choose which ids get rows, and compares them.",
    discussion: """
      One line of JSON for each variant and seed: rows, bytes, and quality on held-out data. What is \
      missing is passed over, with a note. `Benchmarks/admission` runs all of it and draws the \
      results.

        swift run -c release admission --path /tmp/admission --ratings ml-latest-small
      """)

  @Option(help: "A directory for databases, which are removed again.") var path: String
  @Option(help: "The directory of MovieLens: ratings.csv and movies.csv.") var ratings: String?
  @Option(help: "A text: words between spaces, one document a line.") var text: String?
  @Option(help: "The directory with wordsim353.tsv and simlex999.txt.") var wordPairs: String?
  @Option(help: "Only this experiment: movies, crosses or words.") var experiment: String?
  @Option(help: "Only the variant of this name.") var variant: String?
  @Option(help: "The seeds, between commas: of split, order and initial vectors.") var seeds = "1"
  @Option(help: "Epochs, if not as many as is usual.") var epochs: Int?
  @Option(help: "The learning rate, if not the usual one.") var learningRate: Float?
  @Option(help: "The L2 penalty of ratings, if not the usual one.") var penalty: Float?
  @Flag(help: "Only check, on made-up data, that all variants do what they should.")
  var check = false

  func run() throws {
    makeDirectory(path)
    if check { return try Check(path: path).run() }
    for seed in try seeds.split(separator: ",").map(seed) {
      try runRatings(seed)
      try runWords(seed)
    }
  }

  private func seed(_ text: Substring) throws -> UInt64 {
    guard let seed = UInt64(text) else { throw ValidationError("\(text) is no seed.") }
    return seed
  }

  private func runRatings(_ seed: UInt64) throws {
    let isAsked = [nil, "movies", "crosses"].contains(experiment)
    guard isAsked, let data = ratings.flatMap(RatingData.init(directory:)) else {
      if isAsked { note("Passed over: movies and crosses. --ratings names no ratings.csv.") }
      return
    }
    var parameters = RatingExperiment.Parameters()
    if let epochs { parameters.epochs = epochs }
    if let learningRate { parameters.learningRate = learningRate }
    if let penalty { parameters.penalty = penalty }
    for hasCrosses in [false, true] where experiment != (hasCrosses ? "movies" : "crosses") {
      try compare(
        RatingExperiment(data, hasCrosses: hasCrosses, parameters: parameters, seed: seed), seed)
    }
  }

  private func runWords(_ seed: UInt64) throws {
    let isAsked = [nil, "words"].contains(experiment)
    guard isAsked, let lines = text.flatMap(lines(of:)) else {
      if isAsked { note("Passed over: words. --text names no file.") }
      return
    }
    var parameters = WordExperiment.Parameters()
    if let epochs { parameters.epochs = epochs }
    if let learningRate { parameters.learningRate = learningRate }
    var similarities: [(name: String, pairs: WordPairs)] = []
    for (name, file) in [("wordsim", "wordsim353.tsv"), ("simlex", "simlex999.txt")] {
      if let pairs = wordPairs.flatMap({ WordPairs(path: $0 + "/" + file) }) {
        similarities.append((name, pairs))
      } else {
        note("Passed over: \(name). --word-pairs names no directory with \(file).")
      }
    }
    try compare(
      WordExperiment(lines, similarities: similarities, parameters: parameters, seed: seed), seed)
  }

  private func compare(_ experiment: some Experiment, _ seed: UInt64) throws {
    for variant in experiment.variants where self.variant ?? variant.name == variant.name {
      let outcome = try experiment.run(variant, in: path)
      print(ResultLine(outcome, of: variant, in: experiment, seed: seed).text)
      flush()
    }
  }
}
