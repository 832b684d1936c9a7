#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Runs `body` on each of `states`, each in a thread of its own (the first in this one), waits for
/// all of them, and returns the first result that is not nil, in the order of the states.
///
/// Where the system refuses a thread, its share is done in this one.
func inThreads<State, Result>(
  _ states: inout [State], _ body: (inout State, Int) -> Result?
) -> Result? {
  var results = [Result?](repeating: nil, count: states.count)
  withoutActuallyEscaping(body) { body in
    // Unsafe: each thread has one element of each array to itself until it is joined.
    states.withUnsafeMutableBufferPointer { states in
      results.withUnsafeMutableBufferPointer { results in
        let (states, results) = (states, results)
        var threads: [pthread_t] = []
        var refused: [Int] = []
        for i in states.indices.dropFirst() {
          let work = Unmanaged.passRetained(Work { results[i] = body(&states[i], i) })
          var thread = pthread_t()
          if pthread_create(&thread, nil, startWork, work.toOpaque()) == 0 {
            threads.append(thread)
          } else {
            work.release()
            refused.append(i)
          }
        }
        for i in states.indices.prefix(1) + refused { results[i] = body(&states[i], i) }
        for thread in threads { pthread_join(thread, nil) }
      }
    }
  }
  return results.lazy.compactMap { $0 }.first
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
