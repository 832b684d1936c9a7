#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Runs `other` in a thread of its own and `here` in this one, and returns when both are done; where
/// the system refuses a thread, one after the other.
///
/// The two must not touch the same memory. A thread costs some 20 microseconds: for pieces of work
/// of a millisecond and more.
package func concurrently(_ other: () -> Void, _ here: () -> Void) {
  withoutActuallyEscaping(other) { other in
    let work = Unmanaged.passRetained(Work(other))
    var thread = pthread_t()
    guard pthread_create(&thread, nil, startWork, work.toOpaque()) == 0 else {
      work.release()
      other()
      return here()
    }
    here()
    pthread_join(thread, nil)
  }
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
