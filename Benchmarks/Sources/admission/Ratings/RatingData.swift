/// One rating.
struct Rating: Sendable {
  var user: Int64
  var movie: Int64
  /// The user and the movie's combination of genres: "user 15 and Adventure|Comedy". Most of these
  /// crosses are seen once or twice.
  var cross: Int64
  var value: Float
}

/// Ratings, in the form of MovieLens.
struct RatingData: Sendable {
  var ratings: [Rating] = []

  /// Reads `ratings.csv` and `movies.csv`; nil where one is missing.
  init?(directory: String) {
    guard let ratingLines = lines(of: directory + "/ratings.csv"),
      let movieLines = lines(of: directory + "/movies.csv")
    else { return nil }
    var combinations: [Substring: Int64] = [:]
    var genres: [Int64: Int64] = [:]
    for line in movieLines {
      // A title may hold commas; the number before and the genres after it do not.
      guard let first = line.firstIndex(of: ","), let last = line.lastIndex(of: ","),
        let movie = Int64(line[..<first])
      else { continue }
      let combination = line[line.index(after: last)...]
      let number = combinations[combination] ?? Int64(combinations.count)
      combinations[combination] = number
      genres[movie] = number
    }
    for line in ratingLines {
      let fields = line.split(separator: ",")
      guard fields.count >= 3, let user = Int64(fields[0]), let movie = Int64(fields[1]),
        let value = Float(fields[2])
      else { continue }
      ratings.append(
        Rating(
          user: user, movie: movie, cross: user << 16 | (genres[movie] ?? 0xffff), value: value))
    }
  }

  /// Ratings made up from a seed: users and movies with hidden vectors, movies by a power law.
  init(users: Int, movies: Int, count: Int, seed: UInt64) {
    var generator = Generator(seed: seed)
    func vectors(_ count: Int) -> [[Double]] {
      (0..<count).map { _ in (0..<4).map { _ in generator.normal() * 0.5 } }
    }
    let (userVectors, movieVectors) = (vectors(users), vectors(movies))
    for _ in 0..<count {
      let user = generator.number(below: users)
      let u = generator.unit()
      let movie = min(movies - 1, Int(Double(movies) * u * u * u * u))
      let dot = zip(userVectors[user], movieVectors[movie]).reduce(0) { $0 + $1.0 * $1.1 }
      let value = 3.5 + movieVectors[movie][0] + dot + 0.3 * generator.normal()
      ratings.append(
        Rating(
          user: Int64(user), movie: Int64(movie), cross: Int64(user << 16 | movie % 16),
          value: Float(min(5, max(0.5, value)))))
    }
  }
}
