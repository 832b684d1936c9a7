#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A state and the lock that guards it, on whose changes threads can wait.
///
/// For what `Mutex` cannot do, having no condition variable: gates and queues of work. The state is
/// reached through the lock only.
///
/// `@unchecked Sendable`: `storage` is read and written with the lock held, nowhere else.
package final class Monitor<State>: @unchecked Sendable {
  private let storage: UnsafeMutablePointer<State>
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  package init(_ state: State) {
    storage = .allocate(capacity: 1)
    storage.initialize(to: state)
    mutex.initialize(to: pthread_mutex_t())
    changed.initialize(to: pthread_cond_t())
    pthread_mutex_init(mutex, nil)
    // Deadlines are on the monotonic clock, so that setting the time of day moves none.
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(changed, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(mutex)
    storage.deinitialize(count: 1)
    storage.deallocate()
    mutex.deallocate()
    changed.deallocate()
  }

  /// Runs `body` with the lock held. `body` must not call out to code that takes it again.
  package func locked<R>(
    _ body: (inout State) throws(EmbeddingError) -> R
  ) throws(EmbeddingError) -> R {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body(&storage.pointee)
  }

  /// The same for a body that cannot fail.
  package func withLock<R>(_ body: (inout State) -> R) -> R {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body(&storage.pointee)
  }

  /// Waits until `attempt` gives something other than nil; it runs with the lock held, at once and
  /// after every `broadcast`. Gives nil when `seconds` pass first (no limit without it).
  @discardableResult
  package func wait<R>(
    seconds: Int? = nil, _ attempt: (inout State) throws(EmbeddingError) -> R?
  ) throws(EmbeddingError) -> R? {
    var deadline = timespec()
    if let seconds {
      clock_gettime(CLOCK_MONOTONIC, &deadline)
      deadline.tv_sec += seconds
    }
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while true {
      // The access to the state ends with the call: other threads change it during the wait.
      if let result = try attempt(&storage.pointee) { return result }
      if seconds == nil {
        pthread_cond_wait(changed, mutex)
      } else if pthread_cond_timedwait(changed, mutex, &deadline) == ETIMEDOUT {
        return try attempt(&storage.pointee)
      }
    }
  }

  /// Wakes every thread in `wait`.
  package func broadcast() { pthread_cond_broadcast(changed) }
}
