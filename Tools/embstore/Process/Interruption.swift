import Glibc
import Synchronization

/// What Ctrl-C (and SIGTERM) finds to tidy up.
///
/// The database needs nothing: an open transaction vanishes with its process. What remains are
/// files half written and a progress bar half drawn.
struct Interruption {
  /// The bar on the terminal.
  var bar: ProgressBar?
  /// Removes what the command left in the file system.
  var cleanUp: (@Sendable () -> Void)?
  /// Said on the way out.
  var message = ""

  static let current = Mutex(Interruption())

  /// Takes the signals away from all threads but one, which waits for them. Call before any other
  /// thread exists.
  static func watch() {
    // What the parent had ignored (nohup, a shell's background jobs) stays ignored: blocked, it
    // would wait to be taken.
    watched = [SIGINT, SIGTERM].filter { !isIgnored($0) }
    guard !watched.isEmpty else { return }
    mask(watched, SIG_BLOCK)
    var thread = pthread_t()
    pthread_create(&thread, nil, { _ in waitForSignal() }, nil)
  }

  /// Says and tidies up what there is, and ends the process as the signal would have.
  fileprivate static func leave(by number: Int32) -> Never {
    let work = current.withLock { $0 }
    work.bar?.finish()
    work.cleanUp?()
    if !work.message.isEmpty { complain("interrupted: \(work.message)") }
    signal(number, SIG_DFL)
    mask([number], SIG_UNBLOCK)
    raise(number)
    _exit(128 + number)
  }

  /// Runs `body`; an interruption meanwhile says `message` and calls `cleanUp`.
  static func during<R, E: Error>(
    _ message: String, cleanUp: (@Sendable () -> Void)? = nil, _ body: () throws(E) -> R
  ) throws(E) -> R {
    current.withLock {
      $0.message = message
      $0.cleanUp = cleanUp
    }
    defer {
      current.withLock {
        $0.message = ""
        $0.cleanUp = nil
      }
    }
    return try body()
  }
}

/// Unsafe: written once, before the thread that reads it exists.
nonisolated(unsafe) private var watched: [Int32] = []

private func isIgnored(_ number: Int32) -> Bool {
  var action = sigaction()
  sigaction(number, nil, &action)
  // SIG_IGN is the address 1, which Swift has no name for.
  return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
}

/// The body of the thread that signals go to.
private func waitForSignal() -> Never {
  var signals = signalSet(watched)
  var number: Int32 = 0
  while sigwait(&signals, &number) != 0 {}
  Interruption.leave(by: number)
}

private func mask(_ numbers: [Int32], _ how: Int32) {
  var signals = signalSet(numbers)
  pthread_sigmask(how, &signals, nil)
}

private func signalSet(_ numbers: [Int32]) -> sigset_t {
  var signals = sigset_t()
  sigemptyset(&signals)
  for number in numbers { sigaddset(&signals, number) }
  return signals
}

/// Removes the files of `folder` whose names begin with `prefix` and have `part` in them.
func removeFiles(in folder: String, prefix: String, containing part: String) {
  guard let directory = opendir(folder) else { return }
  defer { closedir(directory) }
  while let entry = readdir(directory) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if name.hasPrefix(prefix), name.utf8.count > prefix.utf8.count, contains(name, part) {
      unlink(folder + "/" + name)
    }
  }
}

private func contains(_ text: String, _ part: String) -> Bool { strstr(text, part) != nil }
