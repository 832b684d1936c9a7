import Embeddings

/// The model of ``RatingExperiment``, over its tables.
struct RatingModel {
  let parameters: RatingExperiment.Parameters
  let mean: Float
  var users: EmbeddingTable!
  var movies: EmbeddingTable!
  var crosses: EmbeddingTable?

  init(parameters: RatingExperiment.Parameters, mean: Float) {
    self.parameters = parameters
    self.mean = mean
  }

  /// The rows of a batch of ratings, one after the other.
  private struct Rows {
    var users: [Float]
    var movies: [Float]
    var crosses: [Float]?
  }

  private func rows(
    of ratings: ArraySlice<Rating>, mode: LookupMode
  ) throws(EmbeddingError) -> Rows {
    var rows = Rows(
      users: try users.lookup(IDColumn(ratings.map(\.user)), mode: mode),
      movies: try movies.lookup(IDColumn(ratings.map(\.movie)), mode: mode))
    if let crosses {
      rows.crosses = try crosses.lookup(IDColumn(ratings.map(\.cross)), mode: mode)
    }
    return rows
  }

  /// The user's row as the movie meets it: with what is added for the movie's genres.
  private func user(_ i: Int, _ rows: Rows) -> [Float] {
    let range = i * parameters.dimension..<(i + 1) * parameters.dimension
    guard let crosses = rows.crosses else { return Array(rows.users[range]) }
    return zip(rows.users[range], crosses[range]).map { $0 + $1 }
  }

  private func prediction(_ user: [Float], _ movie: ArraySlice<Float>) -> Float {
    let (last, start) = (user.count - 1, movie.startIndex)
    var sum = mean + user[last] + movie[start + last]
    for j in 0..<last { sum += user[j] * movie[start + j] }
    return sum
  }

  /// The ratings that the model expects.
  func predictions(_ ratings: ArraySlice<Rating>) throws(EmbeddingError) -> [Float] {
    let rows = try rows(of: ratings, mode: .serving)
    let dimension = parameters.dimension
    return (0..<ratings.count).map {
      prediction(user($0, rows), rows.movies[$0 * dimension..<($0 + 1) * dimension])
    }
  }

  /// One step on a batch.
  func train(
    _ ratings: ArraySlice<Rating>, step: Int64, counting: FrequencyCounting
  ) throws(EmbeddingError) {
    let rows = try rows(of: ratings, mode: .training)
    let (dimension, penalty) = (parameters.dimension, parameters.penalty)
    var gradients = Rows(
      users: rows.users.map { penalty * $0 }, movies: rows.movies.map { penalty * $0 },
      crosses: rows.crosses.map { $0.map { penalty * $0 } })
    for (i, rating) in ratings.enumerated() {
      let start = i * dimension
      let user = user(i, rows)
      let error = prediction(user, rows.movies[start..<start + dimension]) - rating.value
      for j in 0..<dimension {
        let isBias = j == dimension - 1
        let forUser = error * (isBias ? 1 : rows.movies[start + j])
        gradients.users[start + j] += forUser
        gradients.crosses?[start + j] += forUser
        gradients.movies[start + j] += error * (isBias ? 1 : user[j])
      }
    }
    try users.update(IDColumn(ratings.map(\.user)), gradients: gradients.users, step: step)
    try movies.update(
      IDColumn(ratings.map(\.movie)), gradients: gradients.movies, step: step, counting: counting)
    if let crosses, let gradients = gradients.crosses {
      try crosses.update(
        IDColumn(ratings.map(\.cross)), gradients: gradients, step: step, counting: counting)
    }
  }
}
