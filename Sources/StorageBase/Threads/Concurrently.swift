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

/// Runs `other` in a thread of its own while `here` runs in this one, and returns when both are done.
/// For two that wait for each other: where the system refuses a thread, `here` is told so by false,
/// and `other` does not run.
package func alongside(_ other: () -> Void, _ here: (_ hasThread: Bool) -> Void) {
  withoutActuallyEscaping(other) { other in
    let thread = StartedThread(other)
    here(thread != nil)
    thread?.join()
  }
}
