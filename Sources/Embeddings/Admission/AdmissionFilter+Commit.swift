import StorageBase

/// What a commit has to write of a filter: the same life as that of changed rows (`RowShard`).
/// `fix`, `unfix` and `abandonCommit` are called while nobody is at work; the others may run beside
/// batches.
extension AdmissionFilter {
  /// Fixes the state for a commit; adds to what waits for one already.
  func fix() {
    waitingLayers = layerCount
    for i in 0..<FilterStripe.count { stripe(i).pointee.fix() }
  }

  /// Takes back what `fix` did, before the commit has begun.
  func unfix() {
    waitingLayers = 0
    for i in 0..<FilterStripe.count { stripe(i).pointee.unfix() }
  }

  /// Begins to commit what waits. No commit may be under way.
  func beginCommit() {
    precondition(runningLayers == 0, "a commit of this filter is under way")
    runningLayers = waitingLayers
    waitingLayers = 0
    for i in 0..<FilterStripe.count { stripe(i).pointee.beginCommit() }
  }

  /// Takes over that the commit is durable.
  func endCommit() {
    if runningLayers > 0 { committedLayers = runningLayers }
    runningLayers = 0
    for i in 0..<FilterStripe.count { stripe(i).pointee.running = [] }
  }

  /// Takes over that the commit failed: what it had to write comes before what waits, or before
  /// what changed since.
  func abandonCommit() { putBack(isWaiting: waitingLayers > 0) }

  /// Gives the commit up for the one that waits, which takes over what it had to write.
  func giveUpCommit() { putBack(isWaiting: true) }

  private func putBack(isWaiting: Bool) {
    for i in 0..<FilterStripe.count { stripe(i).pointee.abandonCommit(isWaiting: isWaiting) }
    runningLayers = 0
  }

  /// Whether the commit under way has something to write of the filter.
  var hasRunning: Bool {
    if !isExact && runningLayers > committedLayers { return true }
    return (0..<FilterStripe.count).contains { !stripe($0).pointee.running.isEmpty }
  }

  /// What tells the changes of the commit under way from others, whatever their order.
  var runningDigest: UInt64 {
    var digest: UInt64 = 0
    for i in 0..<FilterStripe.count {
      for entry in stripe(i).pointee.running {
        digest &+= mix64(entry.hash &+ mix64(UInt64(entry.times) &+ golden))
      }
    }
    return digest
  }
}
