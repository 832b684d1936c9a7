#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Lets batches pass side by side, and a commit alone: a read-write lock that prefers the writer,
/// so that a training loop on several threads cannot starve commits.
///
/// Taken once a batch, not once an id. A thread that has the gate to itself is refused to enter it
/// again: it would wait for itself.
final class Gate: @unchecked Sendable {
  // Unchecked: all state is guarded by `mutex`. `Mutex` of the standard library has no condition
  // variable, which waiting for the last batch to pass needs.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var inside = 0
  private var isClosed = false
  private var waitingToClose = 0
  /// The thread that has the gate to itself, while it is closed.
  private var owner: pthread_t?

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(changed, nil)
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(mutex)
    changed.deallocate()
    mutex.deallocate()
  }

  /// Refuses a thread that is inside alone; with the mutex held, which is let go before the error.
  private func checkOwner() throws(EmbeddingError) {
    guard let owner, pthread_equal(owner, pthread_self()) != 0 else { return }
    pthread_mutex_unlock(mutex)
    throw EmbeddingError(
      .reentrancy,
      "The source of an import used the database that it is imported into. Read what it needs "
        + "before the import, or through database.read(_:).")
  }

  /// Runs `body` beside other shared bodies.
  func shared<R>(_ body: () throws(EmbeddingError) -> R) throws(EmbeddingError) -> R {
    pthread_mutex_lock(mutex)
    try checkOwner()
    while isClosed || waitingToClose > 0 { pthread_cond_wait(changed, mutex) }
    inside += 1
    pthread_mutex_unlock(mutex)
    defer {
      pthread_mutex_lock(mutex)
      inside -= 1
      if inside == 0 && waitingToClose > 0 { pthread_cond_broadcast(changed) }
      pthread_mutex_unlock(mutex)
    }
    return try body()
  }

  /// Runs `body` alone.
  func exclusive<R>(_ body: () throws(EmbeddingError) -> R) throws(EmbeddingError) -> R {
    pthread_mutex_lock(mutex)
    try checkOwner()
    waitingToClose += 1
    while isClosed || inside > 0 { pthread_cond_wait(changed, mutex) }
    waitingToClose -= 1
    isClosed = true
    owner = pthread_self()
    pthread_mutex_unlock(mutex)
    defer {
      pthread_mutex_lock(mutex)
      isClosed = false
      owner = nil
      pthread_cond_broadcast(changed)
      pthread_mutex_unlock(mutex)
    }
    return try body()
  }
}
