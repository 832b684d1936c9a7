import StorageBase

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Lets batches pass side by side, and whoever fixes or changes the whole database alone: a
/// read-write lock that prefers the writer, so that a training loop on several threads cannot starve
/// commits.
///
/// Taken once a batch, not once an id. A thread that has the gate to itself is refused to enter it
/// again: it would wait for itself.
final class Gate: Sendable {
  private struct State {
    var inside = 0
    /// The most that were inside at once since that was last asked.
    var mostInside = 0
    var isClosed = false
    var waitingToClose = 0
    /// The thread that has the gate to itself, while it is closed.
    var owner: pthread_t?

    func checkOwner() throws(EmbeddingError) {
      guard let owner, pthread_equal(owner, pthread_self()) != 0 else { return }
      throw EmbeddingError(
        .reentrancy,
        "The source of an import used the database that it is imported into. Read what it needs "
          + "before the import, or through database.read(_:).")
    }
  }
  private let monitor = Monitor(State())

  /// Runs `body` beside other shared bodies.
  func shared<R>(_ body: () throws(EmbeddingError) -> R) throws(EmbeddingError) -> R {
    try monitor.wait { (state) throws(EmbeddingError) -> Void? in
      try state.checkOwner()
      guard !state.isClosed, state.waitingToClose == 0 else { return nil }
      state.inside += 1
      state.mostInside = max(state.mostInside, state.inside)
      return ()
    }
    defer {
      let isAwaited = monitor.withLock { state in
        state.inside -= 1
        return state.inside == 0 && state.waitingToClose > 0
      }
      if isAwaited { monitor.broadcast() }
    }
    return try body()
  }

  /// The most bodies that ran side by side since this was last asked.
  func takeMostInside() -> Int {
    monitor.withLock { state in
      defer { state.mostInside = state.inside }
      return state.mostInside
    }
  }

  /// Runs `body` alone.
  func exclusive<R>(_ body: () throws(EmbeddingError) -> R) throws(EmbeddingError) -> R {
    try monitor.locked { (state) throws(EmbeddingError) in
      try state.checkOwner()
      state.waitingToClose += 1
    }
    try monitor.wait { (state) throws(EmbeddingError) -> Void? in
      guard !state.isClosed, state.inside == 0 else { return nil }
      state.waitingToClose -= 1
      state.isClosed = true
      state.owner = pthread_self()
      return ()
    }
    defer {
      monitor.withLock { state in
        state.isClosed = false
        state.owner = nil
      }
      monitor.broadcast()
    }
    return try body()
  }
}
