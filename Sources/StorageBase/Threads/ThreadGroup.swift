#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Threads that run one body side by side until it returns.
///
/// The file faults of a test (`FileFaults`) hold in them as they do in the thread that starts them.
package final class ThreadGroup {
  private var threads: [StartedThread] = []

  /// Starts up to `count` threads, fewer where the system refuses more.
  package init(_ count: Int, _ body: @escaping @Sendable () -> Void) {
    let plan = FileFaults.plan
    for _ in 0..<count {
      let thread = StartedThread { FileFaults.$plan.withValue(plan, operation: body) }
      guard let thread else { break }
      threads.append(thread)
    }
  }

  /// The threads that run.
  package var count: Int { threads.count }

  /// Waits until the body has returned in all of them; they must have been told to end.
  package func join() {
    for thread in threads { thread.join() }
    threads = []
  }

  /// The processors that this process may use.
  package static var processorCount: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
}
