/// Runs `other` in a thread of its own and `here` in this one, and returns when both are done; where
/// the system refuses a thread, one after the other.
///
/// The two must not touch the same memory. A thread costs some 20 microseconds: for pieces of work
/// of a millisecond and more.
package func concurrently(_ other: () -> Void, _ here: () -> Void) {
  withoutActuallyEscaping(other) { other in
    guard let thread = StartedThread(other) else {
      other()
      return here()
    }
    here()
    thread.join()
  }
}

/// Runs `other` in up to `count` threads of its own while `here` runs in this one, and returns when
/// all are done. For those that wait for each other: `here` is told how many threads the system gave,
/// and where that is none, `other` does not run.
package func alongside(
  _ count: Int, _ other: () -> Void, _ here: (_ threadCount: Int) -> Void
) {
  withoutActuallyEscaping(other) { other in
    var threads: [StartedThread] = []
    while threads.count < count, let thread = StartedThread(other) { threads.append(thread) }
    here(threads.count)
    for thread in threads { thread.join() }
  }
}

/// The same with one thread.
package func alongside(_ other: () -> Void, _ here: (_ hasThread: Bool) -> Void) {
  alongside(1, other) { here($0 > 0) }
}
