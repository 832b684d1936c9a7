import StorageBase

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
        var threads: [StartedThread] = []
        var refused: [Int] = []
        for i in states.indices.dropFirst() {
          if let thread = StartedThread({ results[i] = body(&states[i], i) }) {
            threads.append(thread)
          } else {
            refused.append(i)
          }
        }
        for i in states.indices.prefix(1) + refused { results[i] = body(&states[i], i) }
        for thread in threads { thread.join() }
      }
    }
  }
  return results.lazy.compactMap { $0 }.first
}
