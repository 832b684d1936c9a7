#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Runs `body` in a thread of its own, which nobody waits for; false where the system gives none,
/// and `body` has not run.
package func runInBackground(_ body: @escaping @Sendable () -> Void) -> Bool {
  let work = Unmanaged.passRetained(BackgroundWork(run: body))
  var thread = pthread_t()
  let status = pthread_create(
    &thread, nil,
    { work in
      if let work { Unmanaged<BackgroundWork>.fromOpaque(work).takeRetainedValue().run() }
      return nil
    }, work.toOpaque())
  guard status == 0 else {
    work.release()
    return false
  }
  pthread_detach(thread)
  return true
}

/// What a thread does: an object, since a thread takes one pointer.
private final class BackgroundWork: Sendable {
  let run: @Sendable () -> Void
  init(run: @escaping @Sendable () -> Void) { self.run = run }
}
