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
  private var threads: [pthread_t] = []

  /// Starts up to `count` threads, fewer where the system refuses more.
  package init(_ count: Int, _ body: @escaping @Sendable () -> Void) {
    let plan = FileFaults.plan
    for _ in 0..<count {
      let work = Unmanaged.passRetained(Work { FileFaults.$plan.withValue(plan, operation: body) })
      var thread = pthread_t()
      guard pthread_create(&thread, nil, startWork, work.toOpaque()) == 0 else {
        work.release()
        break
      }
      threads.append(thread)
    }
  }

  /// The threads that run.
  package var count: Int { threads.count }

  /// Waits until the body has returned in all of them; they must have been told to end.
  package func join() {
    for thread in threads { pthread_join(thread, nil) }
    threads = []
  }

  /// The processors that this process may use.
  package static var processorCount: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
}

/// What a thread does: an object, since a thread takes one pointer.
private final class Work {
  let run: () -> Void
  init(_ run: @escaping () -> Void) { self.run = run }
}

private func startWork(_ work: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  if let work { Unmanaged<Work>.fromOpaque(work).takeRetainedValue().run() }
  return nil
}
