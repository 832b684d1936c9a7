import ArgumentParser

/// Runs all variants on small made-up data, and compares what they keep with what was counted.
struct Check {
  let path: String

  func run() throws {
    let ratings = RatingData(users: 60, movies: 1_500, count: 6_000, seed: 7)
    var parameters = RatingExperiment.Parameters()
    (parameters.epochs, parameters.batch) = (4, 128)
    for hasCrosses in [false, true] {
      let experiment = RatingExperiment(
        ratings, hasCrosses: hasCrosses, parameters: parameters, seed: 1)
      try check(experiment, quality: "rmse", below: 1.5) { experiment.ids(seen: $0) }
    }
    var wordParameters = WordExperiment.Parameters()
    wordParameters.epochs = 2
    (wordParameters.pool, wordParameters.batchDocuments) = (64, 1)
    let pairs = WordPairs([("w0", "w8", 9), ("w1", "w9", 9), ("w0", "w9", 1), ("w1", "w8", 1)])
    let experiment = WordExperiment(
      Corpus.synthetic(documents: 80, length: 60, words: 900, seed: 7),
      similarities: [("made_up", pairs)], parameters: wordParameters, seed: 1)
    // The loss of a model that knows nothing: six times log 2.
    try check(experiment, quality: "loss", below: 4.16) { count in
      2 * experiment.corpus.counts.count { $0 >= count }
    }
    print("All variants keep what they should.")
  }

  private func check(
    _ experiment: some Experiment, quality: String, below limit: Double, seen: (Int) -> Int
  ) throws {
    for variant in Variant.all {
      let outcome = try experiment.run(variant, in: path)
      func require(_ condition: Bool, _ what: String) throws {
        guard !condition else { return }
        throw ValidationError(
          "\(experiment.name), \(variant.name): \(what). Rows: \(outcome.rows), stored: "
            + "\(outcome.stored), live: \(outcome.live).")
      }
      let exact = seen(max(variant.threshold, variant.cutoff))
      switch variant.filter {
      case .none, .counter: try require(outcome.rows == exact, "rows differ from \(exact)")
      case .bloom where variant.cutoff > 0 && variant.sharedPercent == 0:
        // The filter does not see how often those come that it has admitted.
        try require(outcome.rows == exact, "rows differ from \(exact)")
      case .bloom, .counting:
        let most = exact + seen(1) / 20
        try require((exact...most).contains(outcome.rows), "rows not within \(exact)...\(most)")
      case .probabilistic:
        let range = seen(variant.threshold) * 8 / 10...seen(1)
        try require(range.contains(outcome.rows), "rows not within \(range)")
      }
      let mostShared = experiment.tables.count * variant.sharedRows(ids: seen(1))
      try require(outcome.sharedRows <= mostShared, "more than \(mostShared) shared rows")
      let (live, stored) = (value(quality, outcome.live), value(quality, outcome.stored))
      try require(stored < limit, "\(quality) is not below \(limit)")
      let losesRows = variant.cutoff > 0 && variant.sharedPercent == 0
      try require(losesRows || live == stored, "another \(quality) after reopening")
      let again = try experiment.run(variant, in: path)
      try require(
        again.rows == outcome.rows && value(quality, again.stored) == stored,
        "a second run differs")
    }
  }

  private func value(_ name: String, _ values: [(name: String, value: Double)]) -> Double {
    values.first { $0.name == name }?.value ?? .nan
  }
}
