import StorageBase

/// The negatives drawn so far for one list, and how many draws they took.
///
/// Draws that repeat a row (if rows are to be distinct) or hit an excluded one are thrown away.
/// With skewed weights, or a request near the size of the table, nearly all draws may be thrown
/// away; so once those have cost as much as a pass over the table, one or two passes finish the
/// list. The passes draw from the very distribution that rejection draws from, `tries` included:
/// see `finishDistinct` and `finishRepeating`. So no request takes more than about twice the time
/// of a pass, and what is returned does not tell which way it was made.
struct NegativeDraws<Source: SamplingSource & ~Copyable & ~Escapable> {
  let sampler: RowSampler
  let excluded: Set<Int>
  let isDistinct: Bool
  var generator: Xoshiro256
  private(set) var rows: [Int] = []
  private(set) var probabilities: [Double] = []
  private(set) var tries = 0

  init(sampler: RowSampler, excluded: Set<Int>, isDistinct: Bool, generator: Xoshiro256) {
    self.sampler = sampler
    self.excluded = excluded
    self.isDistinct = isDistinct
    self.generator = generator
  }

  /// Draws until there are `count` negatives.
  ///
  /// - Parameter rejections: the draws to throw away before finishing by a pass; by default, as many
  ///   as cost about the same.
  mutating func draw(
    _ count: Int, from source: borrowing Source, rejections: Int? = nil
  ) throws(EmbeddingError) {
    if isDistinct && count > sampler.rowCount { throw tooFew(sampler.rowCount, for: count) }
    let allowed = rejections ?? max(64, sampler.rowCount / sampler.drawCost(source))
    var chosen: Set<Int> = []
    if isDistinct { chosen.reserveCapacity(count) }
    var frequencies: [UInt64] = []
    var rejected = 0
    while rows.count < count && rejected <= allowed {
      let (row, probability) = try sampler.draw(
        from: source, using: &generator, frequencies: &frequencies)
      tries += 1
      if excluded.contains(row) || (isDistinct && !chosen.insert(row).inserted) {
        rejected += 1
      } else {
        append(row, probability)
      }
    }
    guard rows.count < count else { return }
    if isDistinct {
      try finishDistinct(count, from: source, chosen: chosen)
    } else {
      try finishRepeating(count, from: source)
    }
  }

  /// Draws the missing rows without replacement in one pass.
  ///
  /// Let every row left ring at a time drawn from the exponential distribution of rate `p`: the
  /// rows that ring first are distributed as rejection draws them (Efraimidis and Spirakis, 2006),
  /// because the least of several such times falls to each in proportion to `p`, and what remains
  /// has no memory. The draws that rejection would have thrown away before each row are geometric
  /// in the probability of all the rows then left, whichever row comes, and are drawn as such.
  private mutating func finishDistinct(
    _ count: Int, from source: borrowing Source, chosen: Set<Int>
  ) throws(EmbeddingError) {
    var earliest = EarliestRows(capacity: count - rows.count)
    var generator = generator
    let excluded = excluded
    try sampler.forEachRow(of: source) { row, probability in
      guard !excluded.contains(row) && !chosen.contains(row) else { return }
      earliest.insert(
        .init(
          time: exponentialDraw(using: &generator) / probability, row: row,
          probability: probability))
    }
    guard earliest.isFull else { throw tooFew(rows.count + earliest.count, for: count) }
    let entries = earliest.sorted()
    // left[i]: the probability of the rows left when entry i is drawn. Summed up from the end:
    // taking what is gone from 1 would lose the small sums that matter most.
    var left = [Double](repeating: 0, count: entries.count)
    var sum = earliest.passedOver
    for i in entries.indices.reversed() {
      sum += entries[i].probability
      left[i] = sum
    }
    for (entry, left) in zip(entries, left) {
      addTries(geometricDraw(left, using: &generator))
      append(entry.row, entry.probability)
    }
    self.generator = generator
  }

  /// Draws the missing rows with replacement in two passes: one to sum what can be drawn, one to
  /// find the rows at sorted places of that sum. They come back in random order.
  private mutating func finishRepeating(
    _ count: Int, from source: borrowing Source
  ) throws(EmbeddingError) {
    let excluded = excluded
    var sum = 0.0
    var eligible = 0
    try sampler.forEachRow(of: source) { row, probability in
      guard !excluded.contains(row) else { return }
      sum += probability
      eligible += 1
    }
    guard eligible > 0 else { throw tooFew(0, for: count) }
    let missing = count - rows.count
    var targets: [(place: Double, index: Int)] = []
    targets.reserveCapacity(missing)
    for index in 0..<missing {
      targets.append((generator.unit() * sum, index))
      addTries(geometricDraw(sum, using: &generator))
    }
    targets.sort { $0.place < $1.place }
    var found = [(row: Int, probability: Double)](repeating: (0, 0), count: missing)
    var next = 0
    var running = 0.0
    var last = (row: 0, probability: 0.0)
    try sampler.forEachRow(of: source) { row, probability in
      guard !excluded.contains(row) else { return }
      running += probability
      last = (row, probability)
      while next < missing && targets[next].place < running {
        found[targets[next].index] = last
        next += 1
      }
    }
    // A target that rounding put at the very end belongs to the last row.
    while next < missing {
      found[targets[next].index] = last
      next += 1
    }
    for (row, probability) in found { append(row, probability) }
  }

  private mutating func append(_ row: Int, _ probability: Double) {
    rows.append(row)
    probabilities.append(probability)
  }

  /// The numbers of draws that the passes stand for may be astronomical; they stop at 2^62.
  private mutating func addTries(_ draws: Double) {
    let limit = 1 << 62
    tries = draws < Double(limit - tries) ? tries + Int(draws) : limit
  }

  private func tooFew(_ available: Int, for count: Int) -> EmbeddingError {
    EmbeddingError(
      .invalidArgument,
      isDistinct
        ? "\(count) distinct negatives were asked for, but only \(available) rows can be drawn."
          + " Ask for fewer, or sample with replacement."
        : "\(count) negatives were asked for, but every row that can be drawn is a positive."
          + " Keep accidental hits (excludesPositives = false), or ask for none.")
  }
}
