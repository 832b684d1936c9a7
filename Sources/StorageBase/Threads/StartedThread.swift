#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A thread that runs one body. Whoever starts it joins it or lets it go.
package struct StartedThread {
  private let thread: pthread_t

  /// Starts a thread; nil where the system gives none, and `body` has not run.
  package init?(_ body: @escaping () -> Void) {
    guard !ThreadFaults.isNextRefused else { return nil }
    let work = Unmanaged.passRetained(Work(run: body))
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { work in
        // Unsafe: an object, since a thread takes one pointer; optional on some systems only.
        let work: UnsafeMutableRawPointer? = work
        if let work { Unmanaged<Work>.fromOpaque(work).takeRetainedValue().run() }
        return nil
      }, work.toOpaque())
    guard status == 0 else {
      work.release()
      return nil
    }
    self.thread = thread
  }

  /// Waits until the body has returned.
  package func join() { pthread_join(thread, nil) }

  /// Lets the thread end by itself.
  package func detach() { pthread_detach(thread) }

  private final class Work {
    let run: () -> Void
    init(run: @escaping () -> Void) { self.run = run }
  }
}
