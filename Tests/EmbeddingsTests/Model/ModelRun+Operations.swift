import TestSupport
import Testing

@testable import Embeddings

extension ModelRun {
  /// One random operation on both.
  func operate() throws {
    let t = Int.random(in: 0..<models.count, using: &random)
    switch Int.random(in: 0..<1000, using: &random) {
    case ..<200: try lookup(t, drawIDs(t), .serving)
    case ..<350: try lookup(t, drawIDs(t), .training)
    case ..<700: try update(t, drawIDs(t))
    case ..<760: try assign(t, drawIDs(t))
    case ..<800: try addFrequency(t, drawIDs(t))
    case ..<860: try delete(t, drawIDs(t, atMost: random.oneIn(10) ? 250 : 30))
    case ..<920: try metadata(t, drawIDs(t))
    case ..<950: try commit()
    case ..<965: try sample(t)
    case ..<970: try reopen()
    case ..<975: try importRows(t)
    case ..<978: try export(t)
    case ..<985: try tooLarge(t)
    default: try #require(try tables[t].count == models[t].live.rows.count)
    }
    try followCommits()
    let budget = database.budget
    try #require(budget.usedBytes >= 0 && budget.usedBytes <= budget.limit)
    try #require(budget.dirtyBytes >= 0 && budget.commitBytes >= 0)
    try #require(budget.overflowBytes >= 0 && budget.overflowBytes <= budget.overflowLimit)
    if budget.overflowBytes > 0 { note("overflow") }
  }

  private func column(_ t: Int, _ ids: [EmbeddingID]) -> IDColumn {
    IDColumn(ids, type: models[t].live.configuration.idType)
  }

  private func lookup(_ t: Int, _ ids: [EmbeddingID], _ mode: LookupMode) throws {
    let found = try tables[t].lookup(column(t, ids), mode: mode)
    try followCommits()
    try #require(found == models[t].live.lookup(ids, mode: mode))
    note("lookup")
  }

  private func update(_ t: Int, _ ids: [EmbeddingID]) throws {
    if random.oneIn(8) { step += 1 }
    let gradients = random.floats(ids.count * models[t].live.configuration.dimension)
    let rate: Float? = random.oneIn(4) ? 0.25 : nil
    let counting = [FrequencyCounting.automatic, .updates, .occurrences, .none].randomElement(
      using: &random)!
    try tables[t].update(
      column(t, ids), gradients: gradients, step: step, learningRate: rate, counting: counting)
    begin(step)
    try followCommits()
    live.batches += 1
    models[t].live.update(
      ids, gradients: gradients, step: step, learningRate: rate, counting: counting)
    note("update")
  }

  private func assign(_ t: Int, _ ids: [EmbeddingID]) throws {
    let vectors = random.floats(ids.count * models[t].live.configuration.dimension)
    try tables[t].assign(column(t, ids), vectors: vectors, step: step)
    begin(step)
    try followCommits()
    live.batches += 1
    models[t].live.assign(ids, vectors: vectors, step: step)
    note("assign")
  }

  private func addFrequency(_ t: Int, _ ids: [EmbeddingID]) throws {
    try tables[t].addFrequency(column(t, ids).batch)
    try followCommits()
    live.batches += 1
    models[t].live.addFrequency(ids)
    note("addFrequency")
  }

  private func delete(_ t: Int, _ ids: [EmbeddingID]) throws {
    let deleted = try tables[t].delete(column(t, ids).batch)
    try followCommits()
    live.batches += 1
    try #require(deleted == models[t].live.delete(ids))
    note("delete")
  }

  private func metadata(_ t: Int, _ ids: [EmbeddingID]) throws {
    try #require(try tables[t].metadata(column(t, ids)) == models[t].live.metadata(ids))
    note("metadata")
  }

  /// A batch that the smaller budgets cannot hold is refused, and leaves no trace.
  private func tooLarge(_ t: Int) throws {
    let ids = models[t].ids
    let gradients = random.floats(ids.count * models[t].live.configuration.dimension)
    do throws(EmbeddingError) {
      try tables[t].update(column(t, ids), gradients: gradients, step: step)
    } catch {
      try #require(error.code == .budgetTooSmall, "\(error)")
      begin(step)
      try followCommits()
      try #require(try tables[t].count == models[t].live.rows.count)
      note("too large")
      return
    }
    begin(step)
    try followCommits()
    live.batches += 1
    models[t].live.update(ids, gradients: gradients, step: step)
  }

  /// Candidates are rows of the last commit, or positives.
  private func sample(_ t: Int) throws {
    try settle()
    let rows = models[t].committed.rows
    let positives = Array(drawIDs(t, atMost: 3))
    let count = positives.count + min(10, rows.count / 3)
    let distribution = [SamplingDistribution.uniform, .logUniform, .unigram(distortion: 0.75)]
      .randomElement(using: &random)!
    let request = SamplingRequest(
      count: count, distribution: distribution, isDistinct: false, seed: random.next())
    guard rows.count > 20 else { return }
    let sample = try tables[t].sample(request, positives: column(t, positives))
    try #require(sample.count == count)
    for i in 0..<count {
      if i < positives.count {
        try #require(sample.ids[i] == positives[i] && sample.isPositive[i])
      } else {
        try #require(rows[sample.ids[i]] != nil, "\(sample.ids[i]) has no row in the last commit")
        try #require(!sample.isPositive[i] && !positives.contains(sample.ids[i]))
      }
    }
    note("sample")
  }

  private func importRows(_ t: Int) throws {
    let configuration = models[t].live.configuration
    var batches: [RowBatch] = []
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      let ids = drawIDs(t, atMost: 300)
      var batch = RowBatch(
        idType: configuration.idType, dimension: configuration.dimension,
        slotCount: configuration.slotCount)
      batch.ids = column(t, ids)
      batch.vectors = random.floats(ids.count * configuration.dimension)
      // Sums of squares, which are never negative.
      if random.oneIn(2) { batch.slots = random.floats(ids.count * batch.slotCount).map(abs) }
      if random.oneIn(2) { batch.frequencies = ids.map { _ in random.next() % 1000 } }
      if random.oneIn(2) { batch.lastSteps = ids.map { _ in Int64(random.next() % 1000) } }
      batches.append(batch)
    }
    let existing: ImportOptions.Existing =
      random.oneIn(8)
      ? .refuse : [.keep, .newer, .replace].randomElement(using: &random)!
    let options = ImportOptions(existing: existing, step: step)
    let fails = random.oneIn(4)
    let result: Result<ImportSummary, EmbeddingError> = doImport(t, batches, options, fails)
    try followCommits()
    var imported = models[t].live
    let expected = fails ? nil : imported.importRows(batches, options)
    try #require((try? result.get()) == expected)
    guard expected != nil else {
      note("import refused")
      return
    }
    // Durable at once, with all that was live before it.
    try settle()
    imported.probation = [:]
    models[t].live = imported
    models[t].committed = imported
    note("import")
  }

  private func doImport(
    _ t: Int, _ batches: [RowBatch], _ options: ImportOptions, _ fails: Bool
  ) -> Result<ImportSummary, EmbeddingError> {
    Result { () throws(EmbeddingError) in
      try tables[t].importRows(options) { () throws(EmbeddingError) -> RowSource in
        var next = 0
        return { (batch, _) throws(EmbeddingError) in
          guard next < batches.count else {
            if fails { throw EmbeddingError(.malformedInput, "the source ends too early") }
            return false
          }
          batch = batches[next]
          next += 1
          return true
        }
      }
    }
  }

  /// The last commit, row by row.
  private func export(_ t: Int) throws {
    try settle()
    let batchSize = [1, 7, 100, 10_000].randomElement(using: &random)!
    try #require(try models[t].committed.difference(from: tables[t], batchSize: batchSize) == nil)
    try #require(try brokenInvariant(of: tables[t]) == nil)
    note("export")
  }

  /// Everything, at the end.
  func finish() throws {
    for t in models.indices {
      try lookup(t, Array(models[t].ids[0..<100]), .serving)
      try export(t)
    }
    try reopen()
    for t in models.indices { try export(t) }
  }
}
