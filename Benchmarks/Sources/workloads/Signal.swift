import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A number that one thread raises and another waits for.
///
/// Who waits spins first, as the threads of a numeric library do, so that half a batch costs no
/// wake-up; and sleeps after some tens of microseconds, so that a thread that works gets the
/// processor where there are more threads than processors.
final class Signal: @unchecked Sendable {
  // Mutex and condition are made for use by several threads.
  private let value = Atomic<Int>(0)
  private let isAsleep = Atomic<Bool>(false)
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
    condition.deallocate()
  }

  /// Raises the number by one.
  func raise() {
    value.add(1, ordering: .sequentiallyConsistent)
    guard isAsleep.load(ordering: .sequentiallyConsistent) else { return }
    pthread_mutex_lock(mutex)
    pthread_cond_signal(condition)
    pthread_mutex_unlock(mutex)
  }

  /// Waits until the number is `number`, which it never passes before the next wait.
  func wait(for number: Int) {
    for _ in 0..<100_000 where value.load(ordering: .acquiring) == number { return }
    pthread_mutex_lock(mutex)
    isAsleep.store(true, ordering: .sequentiallyConsistent)
    while value.load(ordering: .sequentiallyConsistent) != number {
      pthread_cond_wait(condition, mutex)
    }
    isAsleep.store(false, ordering: .sequentiallyConsistent)
    pthread_mutex_unlock(mutex)
  }
}
