import LMDB
public import StorageBase
import Synchronization

extension EmbeddingDatabase {
  /// The point of training that the last commit stands for: what a crash would reopen at.
  public var lastCommit: CommitPoint {
    get throws(EmbeddingError) {
      try checkOpen()
      guard isReadOnly else { return state.withLock { $0.record.point } }
      return try read { (view) throws(EmbeddingError) in view.point }
    }
  }

  /// Makes everything trained so far durable, in all tables at once, as the state after `step`.
  ///
  /// Waits for the batches at work and holds new ones back; the state is that between two batches.
  /// To commit a step twice is harmless; a lower step than the last one's is refused. The cost
  /// follows the number of rows that changed, not the size of the tables.
  ///
  /// - Throws: ``EmbeddingError/Code/stepRefused``, ``EmbeddingError/Code/diskFull`` (nothing is
  ///   lost: make room and commit again), ``EmbeddingError/Code/poisoned`` after a failure that
  ///   leaves it unknown what is durable.
  public func commit(step: Int64) throws(EmbeddingError) {
    try checkOpen()
    try checkWritable("commit")
    try gate.exclusive { () throws(EmbeddingError) in
      let last = state.withLock { $0.record.point }
      guard step >= last.step else {
        throw EmbeddingError(
          .stepRefused,
          "Step \(step) cannot be committed: the database is at \(last). Resume training there, or "
            + "start from a copy made earlier.")
      }
      try commitAlone(as: CommitPoint(step: step))
    }
  }

  /// Makes everything done so far durable as it is, without naming a step: as the state within or
  /// after the step at hand (see ``CommitPoint``). For what is not training: deletions, edits.
  ///
  /// - Throws: as ``commit(step:)``, but for ``EmbeddingError/Code/stepRefused``.
  public func commit() throws(EmbeddingError) {
    try checkOpen()
    try checkWritable("commit")
    try commitLive()
  }

  /// Begins an update of `step`. The first update of a new step commits what stands before it, if
  /// that is much.
  func begin(step: Int64) throws(EmbeddingError) {
    guard state.withLock({ step > $0.openStep }) else { return try begin() }
    // Within the gate, so that no commit is at work that would overwrite the point.
    let isBoundary = try gate.shared { () throws(EmbeddingError) in
      state.withLock { state in
        guard step > state.openStep else { return false }
        if state.openStep > state.live.step { state.live = CommitPoint(step: state.openStep) }
        state.openStep = step
        return true
      }
    }
    if isBoundary && isCommitDue(slack: 1) { try commitLive() }
  }

  /// Begins a batch that changes rows. Should a commit be due, it comes before the batch, not after
  /// it: where it fails, the call that throws has changed nothing.
  func begin() throws(EmbeddingError) {
    if isCommitDue(slack: 1.4) { try commitLive() }
  }

  /// Counts a batch that changes rows. The caller is within the gate and applies the batch there:
  /// a commit then holds exactly the batches that it counts.
  func noteBatch() {
    state.withLock { $0.live.batches += 1 }
  }

  /// Whether dirty rows fill their share of the budget: half of what there is for cached rows, or
  /// what there is for the pages of a commit. Where a step ends the database then commits by itself;
  /// within a step it waits until they fill `slack` times that.
  private func isCommitDue(slack: Double) -> Bool {
    let idPages = openTables.withLock { $0.values.reduce(0) { $0 + $1.idPageBytes } }
    return Double(budget.dirtyBytes) > Double(budget.limit) * 0.5 * slack
      || Double(budget.commitBytes + idPages) > Double(budget.commitLimit) * slack
  }

  /// Commits by itself, between two batches.
  func commitLive() throws(EmbeddingError) {
    try gate.exclusive { () throws(EmbeddingError) in
      try commitAlone(as: state.withLock { $0.live })
    }
  }

  /// Commits, so that every row may be evicted, and runs `body` with the gate to itself and all
  /// caches empty: the memory of other shards and tables is free for it, and nobody takes it away.
  /// A body that finds no room even so must have changed nothing.
  func withAllRoom(
    _ body: () throws(EmbeddingError) -> BatchOutcome
  ) throws(EmbeddingError) -> BatchOutcome {
    try gate.exclusive { () throws(EmbeddingError) in
      try commitAlone(as: state.withLock { $0.live })
      emptyCaches()
      let outcome = try body()
      if outcome != .done { emptyCaches() }
      return outcome
    }
  }

  /// Forgets all cached rows, if none waits for a commit: for a table that finds no room beside
  /// another one that filled the budget first.
  func shareCachesAnew() throws(EmbeddingError) {
    try gate.exclusive { () throws(EmbeddingError) in
      if budget.dirtyBytes == 0 { emptyCaches() }
    }
  }

  private func emptyCaches() {
    for table in openTables.withLock({ Array($0.values) }) { table.cache.removeAll() }
  }

  /// Commits as `point`; the caller has the gate to itself.
  func commitAlone(as point: CommitPoint) throws(EmbeddingError) {
    try checkOpen()
    let tables = openTables.withLock { $0.values.sorted { $0.number < $1.number } }
    let plans = tables.map { TableCommit($0) }
    var record = state.withLock { $0.record }
    let changed = plans.filter { !$0.isEmpty }
    if changed.isEmpty && record.point == point {
      // Batches that changed nothing, empty ones, are behind the point now.
      state.withLock { $0.live = point }
      return
    }
    let previous = record.generation
    record.generation += 1
    record.point = point
    var number: UInt64 = 0
    let results = try environment.write {
      (transaction) throws(EmbeddingError) -> [TableCommit.Result] in
      try checkGeneration(previous, in: transaction)
      var results: [TableCommit.Result] = []
      for plan in changed {
        let result = try plan.write(in: transaction)
        try Self.put(
          result.record.encode(), under: TableRecord.key(plan.table.storage.name), in: meta,
          transaction)
        results.append(result)
      }
      try Self.put(record.encode(), under: DatabaseRecord.key, in: meta, transaction)
      number = transaction.id
      announce(
        number, from: previous, to: record.generation, tables: tables,
        changed: zip(changed, results).map { ($0.0.table.number, $0.1.changedBlocks) })
      return results
    }
    for (plan, result) in zip(changed, results) { plan.finish(result) }
    let written = Dictionary(
      uniqueKeysWithValues: zip(changed, results).map { ($0.0.table.number, $0.1) })
    for table in tables {
      table.locations.advance(
        to: number, changedBlocks: written[table.number]?.changedBlocks ?? [],
        rowCount: table.state.withLock { $0.record.rowCount })
    }
    state.withLock { state in
      state.record.generation = record.generation
      state.record.point = point
      state.live = point
      state.openStep = max(state.openStep, point.step)
    }
  }

  /// The database must be as this process left it: `writer.lock` keeps others from writing, unless
  /// somebody deleted it.
  func checkGeneration(
    _ expected: UInt64, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    let stored = try Self.readRecord(meta, in: transaction).generation
    guard stored == expected else {
      throw EmbeddingError(
        .environmentInUse,
        "Another process wrote to the database \(path) (it is at commit \(stored), this process at "
          + "\(expected)). Nothing was written. Close it here and open it again.")
    }
  }

  /// Tells all tables that a transaction is about to be seen, and their samplers which blocks a commit changes, before it can be seen; but not
  /// that of the table `except`, which then finds out by itself, and makes its weights anew.
  ///
  /// Called within a write transaction, where the list of open tables must not be asked: a thread
  /// that opens a table holds it while it waits for the right to write.
  func announce(
    _ transaction: UInt64, from previous: UInt64, to next: UInt64, tables: [TableCore],
    changed: [(table: UInt32, blocks: [Int])], except: UInt32? = nil
  ) {
    for table in tables { table.locations.expect(transaction) }
    for table in tables where table.number != except {
      let blocks = changed.first { $0.table == table.number }?.blocks ?? []
      table.sampler.noteCommit(from: previous, to: next, changedBlocks: blocks)
    }
  }
}
