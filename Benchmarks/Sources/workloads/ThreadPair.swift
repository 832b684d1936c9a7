import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// One or two threads that share each batch: the caller's, and one that lives as long as the pair.
///
/// The second thread spins for its work, as those of a numeric library do, and sleeps only when there
/// has been none for long, so that half a batch costs no wake-up.
final class ThreadPair: @unchecked Sendable {
  // `job` and `failure` are written by one thread while the other waits for `begun` or `ended`.
  let count: Int
  private var job: ((Int) throws -> Void)?
  private var failure: (any Error)?
  private let begun = Atomic<Int>(0)
  private let ended = Atomic<Int>(0)
  private let isAsleep = Atomic<Bool>(false)
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  /// - Parameter count: 1 or 2.
  init(count: Int) {
    self.count = count
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
    guard count == 2 else { return }
    var thread = pthread_t()
    pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<ThreadPair>.fromOpaque(argument!).takeUnretainedValue().work()
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
  }

  /// Calls `body` with 0, and with 1 on the other thread at the same time if there is one.
  func run(_ body: (Int) throws -> Void) throws {
    guard count == 2 else { return try body(0) }
    try withoutActuallyEscaping(body) { body in
      job = body
      let number = begun.add(1, ordering: .sequentiallyConsistent).newValue
      if isAsleep.load(ordering: .sequentiallyConsistent) {
        pthread_mutex_lock(mutex)
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
      }
      var mine: (any Error)?
      do { try body(0) } catch { mine = error }
      while ended.load(ordering: .acquiring) != number {}
      job = nil
      if let error = mine ?? failure { throw error }
    }
  }

  /// The part of `count` things that falls to `thread`.
  func part(_ thread: Int, of count: Int) -> Range<Int> {
    count * thread / self.count..<count * (thread + 1) / self.count
  }

  private func work() {
    var seen = 0
    while true {
      var spins = 0
      while begun.load(ordering: .acquiring) == seen {
        spins += 1
        if spins > 100_000 { sleep(until: seen) }
      }
      seen += 1
      do { try job?(1) } catch { failure = error }
      ended.store(seen, ordering: .releasing)
    }
  }

  private func sleep(until seen: Int) {
    pthread_mutex_lock(mutex)
    isAsleep.store(true, ordering: .sequentiallyConsistent)
    while begun.load(ordering: .sequentiallyConsistent) == seen {
      pthread_cond_wait(condition, mutex)
    }
    isAsleep.store(false, ordering: .sequentiallyConsistent)
    pthread_mutex_unlock(mutex)
  }
}
