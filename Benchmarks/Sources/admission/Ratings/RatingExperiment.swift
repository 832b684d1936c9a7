import Embeddings

/// Matrix factorization by Adagrad: a rating is predicted as
/// `mean + bias(user) + bias(movie) + user . movie`, and squared errors with an L2 penalty are
/// minimised. Biases are the last elements of the rows.
///
/// `movies` varies the table of movies. `crosses` has a third table, for a user and a combination of
/// genres, whose rows are added to those of the user, and varies that one.
///
/// Source: Koren, Bell, Volinsky, "Matrix factorization techniques for recommender systems" (2009).
struct RatingExperiment: Experiment {
  /// What training depends on, the same for all variants.
  struct Parameters: Sendable {
    var dimension = 16
    var epochs = 10
    var batch = 512
    var learningRate: Float = 0.05
    var penalty: Float = 0.1
  }

  let hasCrosses: Bool
  let parameters: Parameters
  private let seed: UInt64
  private let training: [Rating]
  private let heldOut: [Rating]
  private let mean: Float
  /// How often the training data have an id of the varied table.
  private let counts: [Int64: Int]

  /// Holds every tenth rating back, in an order that the seed decides.
  init(_ data: RatingData, hasCrosses: Bool, parameters: Parameters = Parameters(), seed: UInt64) {
    self.hasCrosses = hasCrosses
    self.parameters = parameters
    self.seed = seed
    var ratings = data.ratings
    var generator = Generator(seed: seed)
    generator.shuffle(&ratings)
    let split = ratings.count / 10
    heldOut = Array(ratings[..<split])
    training = Array(ratings[split...])
    mean = training.reduce(0) { $0 + $1.value } / Float(training.count)
    counts = training.reduce(into: [:]) { $0[hasCrosses ? $1.cross : $1.movie, default: 0] += 1 }
  }

  var name: String { hasCrosses ? "crosses" : "movies" }
  var tables: [String] { [name] }
  var idCount: Int { counts.count }
  var variants: [Variant] { Variant.all }

  /// The ids that are seen at least `count` times.
  func ids(seen count: Int) -> Int { counts.values.count { $0 >= count } }

  func train(_ database: EmbeddingDatabase, _ variant: Variant) throws(EmbeddingError) {
    let plain = TableConfiguration(
      dimension: parameters.dimension, idType: .int64, seed: seed,
      optimizer: .adagrad(learningRate: parameters.learningRate))
    let varied = variant.applied(to: plain, ids: idCount)
    var model = RatingModel(parameters: parameters, mean: mean)
    model.users = try database.table("users", plain)
    model.movies = try database.table("movies", hasCrosses ? plain : varied)
    if hasCrosses { model.crosses = try database.table("crosses", varied) }
    var ratings = training
    var generator = Generator(seed: seed &+ 1)
    var step: Int64 = 0
    for epoch in 0..<parameters.epochs {
      generator.shuffle(&ratings)
      for start in stride(from: 0, to: ratings.count, by: parameters.batch) {
        step += 1
        try model.train(
          ratings[start..<min(start + parameters.batch, ratings.count)], step: step,
          // What was seen once is not seen again because it is trained on again.
          counting: epoch == 0 ? .occurrences : .none)
      }
      try database.commit(step: step)
    }
  }

  func evaluate(
    _ database: EmbeddingDatabase
  ) throws(EmbeddingError) -> [(name: String, value: Double)] {
    var model = RatingModel(parameters: parameters, mean: mean)
    model.users = try database.table("users")
    model.movies = try database.table("movies")
    if hasCrosses { model.crosses = try database.table("crosses") }
    var errors = (all: Errors(), rare: Errors())
    for start in stride(from: 0, to: heldOut.count, by: 4096) {
      let ratings = heldOut[start..<min(start + 4096, heldOut.count)]
      for (rating, prediction) in zip(ratings, try model.predictions(ratings)) {
        let error = Double(min(5, max(0.5, prediction)) - rating.value)
        errors.all.add(error)
        if counts[hasCrosses ? rating.cross : rating.movie] ?? 0 < 5 { errors.rare.add(error) }
      }
    }
    return [("rmse", errors.all.root), ("rmse_rare", errors.rare.root)]
  }
}

/// Sums up errors.
private struct Errors {
  private var sum = 0.0
  private var count = 0

  mutating func add(_ error: Double) {
    sum += error * error
    count += 1
  }

  /// The root of the mean square.
  var root: Double { (sum / Double(count)).squareRoot() }
}
