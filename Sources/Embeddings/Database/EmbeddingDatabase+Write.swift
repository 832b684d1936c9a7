import LMDB
import StorageBase
import Synchronization

/// How a fixed state is written.
extension EmbeddingDatabase {
  /// Writes a request's state in one transaction, and makes it the last commit.
  ///
  /// - Parameters:
  ///   - pace: how it gives way to training; nil where it does not.
  ///   - hasGate: whether the caller has the gate to itself; else batches are at work, but for the
  ///     moment in which what they see changes.
  ///   - isTold: whether somebody waits for the error that this may throw.
  func write(
    _ request: CommitQueue.Request, at pace: Pace? = nil, hasGate: Bool, isTold: Bool
  ) throws(EmbeddingError) {
    defer { commits.broadcast() }
    for table in request.tables { table.core.beginCommit(table.rows) }
    commits.withLock { $0.isBeginning = false }
    commits.broadcast()
    let plans = request.tables.map { TableCommit($0, at: pace) }
    var isGivenUp = false
    do throws(EmbeddingError) {
      try write(plans, as: request.point, hasGate: hasGate, evicting: request.isEvicting) { left in
        isGivenUp = shouldGiveUp(request, plans, rowsLeft: left)
        return isGivenUp
      }
    } catch {
      guard !isGivenUp else { return try giveUp(request) }
      try withGate(unless: hasGate) { () throws(EmbeddingError) in
        // What waits was fixed on top of this: without it, it is not a state that ever was.
        // It may be of tables that were opened after this one was fixed.
        for plan in plans { plan.takeBack() }
        for table in commits.withLock({ $0.waiting })?.tables ?? [] { table.core.unfix() }
        commits.withLock { $0.fail(error, isTold: isTold) }
      }
      throw error
    }
    for table in request.tables { table.core.admission?.loadedFilter?.endCommit() }
    commits.withLock { $0.end(request) }
  }

  /// Whether a commit, of which some rows are left to write, costs those who wait for the one behind it
  /// more time than it saves them. That one has a later state of most of its rows; only those that
  /// have not changed since would have to be written again.
  private func shouldGiveUp(
    _ request: CommitQueue.Request, _ plans: [TableCommit], rowsLeft: Int
  ) -> Bool {
    guard request.yields, pace.isHurried, commits.withLock({ $0.waiting != nil }) else {
      return false
    }
    let rows = plans.map(\.table.cache.rowsToCommit)
    let again = rows.reduce(0) { $0 + $1.unchanged }
    let together = rows.reduce(again) { $0 + $1.waiting }
    return rowsLeft > again && budget.hasRoomForLists(together * CommitRows.bytesPerRow)
  }

  /// Gives the commit under way up for the one that waits, which takes over its rows.
  private func giveUp(_ request: CommitQueue.Request) throws(EmbeddingError) {
    try commits.wait { $0.beginGivingUp() ? () : nil }
    for table in request.tables { table.core.giveUpCommit() }
    commits.withLock { $0.giveUp(request) }
  }

  private func withGate(
    unless hasGate: Bool, _ body: () throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    if hasGate { try body() } else { try gate.exclusive(body) }
  }

  private func write(
    _ plans: [TableCommit], as point: CommitPoint, hasGate: Bool, evicting: Bool,
    givingUp isOver: (_ rowsLeft: Int) -> Bool
  ) throws(EmbeddingError) {
    var record = state.withLock { $0.record }
    let due = evicting ? plans.map(\.table).filter { $0.isEvictionDue(at: point.step) } : []
    let changed = plans.filter { plan in !plan.isEmpty || due.contains { $0 === plan.table } }
    // Batches that changed nothing, empty ones, are behind the point then.
    if changed.isEmpty && record.point == point { return }
    let previous = record.generation
    record.generation += 1
    record.point = point
    let tables = plans.map(\.table)
    var number: UInt64 = 0
    let results = try environment.write {
      (transaction) throws(EmbeddingError) -> [TableCommit.Result] in
      try checkGeneration(previous, in: transaction)
      var results: [TableCommit.Result] = []
      let stamp = CommitStamp(generation: record.generation, point: point)
      var rowsLeft = changed.reduce(0) { $0 + $1.rows.count }
      for plan in changed {
        let isDue = due.contains { $0 === plan.table }
        let result = try plan.write(stamp, evicting: isDue, in: transaction) { written in
          isOver(rowsLeft - written)
        }
        rowsLeft -= plan.rows.count
        let name = plan.table.storage.name
        try Self.put(result.record.encode(), under: TableRecord.key(name), in: meta, transaction)
        if result.eviction != nil {
          try putEvictions(result.record, name: name, in: transaction)
        }
        results.append(result)
      }
      try Self.put(record.encode(), under: DatabaseRecord.key, in: meta, transaction)
      number = transaction.id
      announce(
        number, from: previous, to: record.generation, tables: tables,
        changed: zip(changed, results).map { ($0.0.table.number, $0.1.changedBlocks) },
        except: Set(due.map(\.number)))
      return results
    }
    try withGate(unless: hasGate) { () throws(EmbeddingError) in
      for (plan, result) in zip(changed, results) { plan.publish(result) }
      let blocks = Dictionary(
        uniqueKeysWithValues: zip(changed, results).map {
          ($0.0.table.number, $0.1.changedBlocks)
        })
      for table in tables { table.advance(to: number, changedBlocks: blocks[table.number] ?? []) }
      state.withLock { state in
        state.record.generation = record.generation
        state.record.point = point
      }
    }
    for (plan, result) in zip(changed, results) { plan.release(result) }
    for result in results { result.eviction?.takeOver(result.record) }
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

  /// Announces a commit to all tables before it can be seen, and tells their samplers which blocks
  /// it changes; but not those of the tables `except`, which then find out by themselves, and make
  /// their weights anew.
  ///
  /// Called within a write transaction, where the list of open tables must not be asked: a thread
  /// that opens a table holds it while it waits for the right to write.
  func announce(
    _ transaction: UInt64, from previous: UInt64, to next: UInt64, tables: [TableCore],
    changed: [(table: UInt32, blocks: [Int])], except: Set<UInt32> = []
  ) {
    for table in tables { table.locations.expect(transaction) }
    for table in tables where !except.contains(table.number) {
      let blocks = changed.first { $0.table == table.number }?.blocks ?? []
      table.sampler.noteCommit(from: previous, to: next, changedBlocks: blocks)
    }
  }
}
