#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// One or two threads that share each batch: the caller's, and one that lives as long as the process.
final class ThreadPair: @unchecked Sendable {
  // `job` and `failure` are written by one thread while the other waits for `begun` or `ended`.
  let count: Int
  private var job: ((Int) throws -> Void)?
  private var failure: (any Error)?
  private var batches = 0
  private let begun = Signal()
  private let ended = Signal()

  /// - Parameter count: 1 or 2.
  init(count: Int) {
    self.count = count
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
      batches += 1
      begun.raise()
      var mine: (any Error)?
      do { try body(0) } catch { mine = error }
      ended.wait(for: batches)
      job = nil
      if let error = mine ?? failure { throw error }
    }
  }

  /// The part of `count` things that falls to `thread`.
  func part(_ thread: Int, of count: Int) -> Range<Int> {
    count * thread / self.count..<count * (thread + 1) / self.count
  }

  private func work() {
    var number = 0
    while true {
      number += 1
      begun.wait(for: number)
      do { try job?(1) } catch { failure = error }
      ended.raise()
    }
  }
}
