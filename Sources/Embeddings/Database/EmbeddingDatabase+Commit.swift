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
  /// The state is that between two batches: the call waits for those at work. Training goes on while
  /// the commit is written; what changes meanwhile belongs to the next one. To commit a step twice is
  /// harmless; a lower step than the last one's is refused. The cost follows the number of rows that
  /// changed, not the size of the tables.
  ///
  /// - Parameters:
  ///   - step: the step that is complete.
  ///   - wait: whether the call returns when the state is durable. Else it returns as soon as the
  ///     state is fixed, and the commit runs behind the training loop in a thread of its own. Where
  ///     one is still under way, the new one follows it; a third takes the place of the second, and
  ///     once somebody waits, that of the first where this is durable sooner.
  ///     While batches want all processors it works a tenth of the time, so that it takes ten times as
  ///     long; a quarter where they leave one. ``waitForCommits()`` waits for all of it, and has it
  ///     hurry.
  /// - Throws: ``EmbeddingError/Code/stepRefused``, ``EmbeddingError/Code/diskFull`` (nothing is
  ///   lost: make room and commit again), ``EmbeddingError/Code/poisoned`` after a failure that
  ///   leaves it unknown what is durable. What happens behind the loop is thrown by the next call
  ///   that commits or waits.
  public func commit(step: Int64, wait: Bool = true) throws(EmbeddingError) {
    try checkOpen()
    try checkWritable("commit")
    try tellFailure()
    func point(_ state: State) throws(EmbeddingError) -> CommitPoint {
      guard step >= state.fixed.step else {
        throw EmbeddingError(
          .stepRefused,
          "Step \(step) cannot be committed: the database is at \(state.fixed). Resume training "
            + "there, or start from a copy made earlier.")
      }
      return CommitPoint(step: step)
    }
    if isEvictionDue(at: step) { return try commitWithEvictions(as: point) }
    try commit(wait: wait, yields: !wait, as: point)
  }

  /// Makes everything done so far durable as it is, without naming a step: as the state within or
  /// after the step at hand (see ``CommitPoint``). For what is not training: deletions, edits.
  ///
  /// - Throws: as ``commit(step:wait:)``, but for ``EmbeddingError/Code/stepRefused``.
  public func commit() throws(EmbeddingError) {
    try checkOpen()
    try checkWritable("commit")
    try tellFailure()
    try commitLive()
  }

  /// Waits until every state that a commit was asked for is durable.
  ///
  /// - Throws: the error of a commit behind the loop that failed, once. Nothing is lost by it: the
  ///   next commit holds everything, as long as the database stays open.
  public func waitForCommits() throws(EmbeddingError) {
    try checkOpen()
    waitUntilIdle()
    try tellFailure()
  }

  private func tellFailure() throws(EmbeddingError) {
    if let error = commits.withLock({ $0.takeUntoldError() }) { throw error }
  }

  /// Waits until no commit is under way or waiting; returns the error of one that failed, if nobody
  /// was told.
  func finishCommits() -> EmbeddingError? {
    waitUntilIdle()
    return commits.withLock { $0.takeUntoldError() }
  }

  /// Waits until no commit is under way or waiting. Failures are kept for whoever is to be told.
  private func waitUntilIdle() {
    while true {
      let next = try? pace.hurried { () throws(EmbeddingError) in
        try commits.wait { queue -> CommitQueue.Request?? in
          if queue.isIdle { return .some(nil) }
          return queue.begin().map { .some($0) }
        }
      }
      guard let request = next ?? nil else { return }
      try? write(request, hasGate: false, isTold: false)
    }
  }

  // MARK: When

  /// Begins an update of `step`. The first update of a new step commits what stands before it, if
  /// that is much.
  func begin(step: Int64) throws(EmbeddingError) {
    guard state.withLock({ step > $0.openStep }) else { return try begin() }
    // Within the gate, so that no state is being fixed whose point would be overwritten.
    let isBoundary = try gate.shared { () throws(EmbeddingError) in
      state.withLock { state in
        guard step > state.openStep else { return false }
        if state.openStep > state.live.step { state.live = CommitPoint(step: state.openStep) }
        state.openStep = step
        return true
      }
    }
    try commitIfDue(slack: isBoundary ? 1 : 1.4)
  }

  /// Begins a batch that changes rows. Should a commit be due, it is asked for before the batch, not
  /// after it: where that fails, the call that throws has changed nothing.
  func begin() throws(EmbeddingError) { try commitIfDue(slack: 1.4) }

  /// Counts a batch that changes rows. The caller is within the gate and applies the batch there:
  /// a commit then holds exactly the batches that it counts.
  func noteBatch() {
    state.withLock { $0.live.batches += 1 }
  }

  /// Commits by itself, behind the loop, where changed rows fill their share of the budget: where a
  /// step ends, or within one if they fill `slack` times that. Where a commit is under way still,
  /// waits for it: which batches a commit of the store's own holds does not depend on how fast the
  /// disk is, so that the same training gives the same rows the same numbers.
  private func commitIfDue(slack: Double) throws(EmbeddingError) {
    if budget.copies.ownBytes > budget.commitLimit / 3 { _ = try waitForCommitUnderWay() }
    guard commitLoad > slack else { return }
    _ = try waitForCommitUnderWay()
    try commit(wait: false) { (state) in state.live }
  }

  /// Waits for a commit that is under way or waits; false where there is none.
  func waitForCommitUnderWay() throws(EmbeddingError) -> Bool {
    guard commits.withLock({ !$0.isIdle }) else { return false }
    waitUntilIdle()
    try tellFailure()
    return true
  }

  /// How much waits for a commit: 1 where changed rows fill a third of what there is for rows, or
  /// their lists most of what there is for a commit. As many rows again may come while one is
  /// written; their lists are made when their turn comes.
  private var commitLoad: Double {
    max(
      Double(budget.dirtyBytes) / (Double(budget.roomForRows) * 0.35), budget.listLoad)
  }

  /// Commits by itself, between two batches.
  func commitLive() throws(EmbeddingError) {
    try commit(wait: true) { (state) in state.live }
  }

  // MARK: Fixing

  /// Fixes the state as it is between two batches, and has it committed.
  ///
  /// - Parameter yields: whether a later one may take its place while it is under way.
  private func commit(
    wait: Bool, yields: Bool = false, as point: (State) throws(EmbeddingError) -> CommitPoint
  ) throws(EmbeddingError) {
    var number: UInt64?
    while number == nil {
      try commits.wait { $0.isBeginning ? nil : () }
      number = try gate.exclusive { () throws(EmbeddingError) -> UInt64? in
        try checkOpen()
        let point = try point(state.withLock { $0 })
        guard commits.withLock({ $0.beginFixing() }) else { return nil }
        return fix(as: point, yields: yields)
      }
    }
    guard let number else { return }
    if wait {
      try self.wait(for: number)
    } else {
      runBehind()
    }
  }

  /// Fixes the state as `point`, in place of one that waits to be committed. The caller has the gate
  /// to itself, and `beginFixing` has let it.
  private func fix(
    as point: CommitPoint, evicting: Bool = false, yields: Bool = false
  ) -> UInt64 {
    let tables = openTables.withLock { $0.values.sorted { $0.number < $1.number } }
    let fixed = tables.map { $0.fix() }
    state.withLock { state in
      state.live = point
      state.fixed = point
      state.openStep = max(state.openStep, point.step)
    }
    let number = commits.withLock { queue in
      queue.lastNumber += 1
      queue.waiting = CommitQueue.Request(
        number: queue.lastNumber, point: point, tables: fixed, isEvicting: evicting,
        yields: yields)
      queue.isFixing = false
      return queue.lastNumber
    }
    // Others may wait to write what was fixed before.
    commits.broadcast()
    return number
  }

  // MARK: Running

  /// Waits until a request is durable; writes what waits in this thread, if no other does.
  private func wait(for number: UInt64) throws(EmbeddingError) {
    while true {
      let next = try pace.hurried { () throws(EmbeddingError) in
        try commits.wait { (queue) throws(EmbeddingError) -> CommitQueue.Request?? in
          if queue.done >= number { return .some(nil) }
          if queue.failed >= number, let error = queue.error {
            queue.isUntold = false
            throw error
          }
          return queue.begin().map { .some($0) }
        }
      }
      guard let request = next ?? nil else { return }
      try write(request, hasGate: false, isTold: true)
    }
  }

  /// Has what waits written in a thread of its own, unless one is at it already.
  private func runBehind() {
    guard let request = commits.withLock({ $0.begin() }) else { return }
    let started = runInBackground { [self] in
      var next: CommitQueue.Request? = request
      while let request = next {
        // The failure is kept for whoever commits or waits next.
        try? write(request, at: pace, hasGate: false, isTold: false)
        next = commits.withLock { $0.begin() }
      }
    }
    if !started { try? write(request, hasGate: false, isTold: false) }
  }

  /// Runs `body` with the gate to itself and no commit under way or waiting.
  func alone<R>(_ body: () throws(EmbeddingError) -> R) throws(EmbeddingError) -> R {
    while true {
      waitUntilIdle()
      let result = try gate.exclusive { () throws(EmbeddingError) -> R? in
        guard commits.withLock({ $0.isIdle }) else { return nil }
        return try body()
      }
      if let result { return result }
    }
  }

  /// Commits as `point`, and with `evicting` runs the eviction policies that are due; the caller is
  /// alone.
  func commitAlone(as point: CommitPoint, evicting: Bool = false) throws(EmbeddingError) {
    try checkOpen()
    // Nothing is under way that could be taking a state over.
    _ = commits.withLock { $0.beginFixing() }
    _ = fix(as: point, evicting: evicting)
    guard let request = commits.withLock({ $0.begin() }) else { return }
    try write(request, hasGate: true, isTold: true)
  }

  /// Commits, so that every row may be evicted, and runs `body` with the gate to itself and all
  /// caches empty: the memory of other shards and tables is free for it, and nobody takes it away.
  /// A body that finds no room even so must have changed nothing.
  func withAllRoom(
    _ body: () throws(EmbeddingError) -> BatchOutcome
  ) throws(EmbeddingError) -> BatchOutcome {
    try alone { () throws(EmbeddingError) in
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
    try alone { () throws(EmbeddingError) in
      if budget.dirtyBytes == 0 { emptyCaches() }
    }
  }

  private func emptyCaches() {
    for table in openTables.withLock({ Array($0.values) }) { table.cache.removeAll() }
  }
}
