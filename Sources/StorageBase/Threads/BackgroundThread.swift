#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Runs `body` in a thread of its own, which nobody waits for; false where the system gives none,
/// and `body` has not run.
///
/// Where there are fewer processors than threads, those in the foreground come first: the thread
/// gives way to them (by 10 of Linux's steps of niceness, a tenth of an ordinary thread's share).
package func runInBackground(_ body: @escaping @Sendable () -> Void) -> Bool {
  let thread = StartedThread {
    #if os(Linux)
      // Linux keeps niceness by thread; 0 is the calling one. A wish, which may be refused.
      setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
    #endif
    body()
  }
  thread?.detach()
  return thread != nil
}
