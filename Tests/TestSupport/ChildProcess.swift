package import Glibc

/// A helper executable of this package, running as a process of its own, whose standard output is
/// read by the test.
package final class ChildProcess {
  package let id: pid_t
  private let output: Int32
  private var isWaitedFor = false

  /// Starts `name`, which lies beside the tests.
  package init(_ name: String, _ arguments: [String]) {
    var own = [CChar](repeating: 0, count: 4096)
    let length = readlink("/proc/self/exe", &own, 4095)
    let tests = String(decoding: own[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let path = tests[..<tests.lastIndex(of: "/")!] + "/" + name
    var pipe: [Int32] = [0, 0]
    guard Glibc.pipe(&pipe) == 0 else { fatalError("pipe: \(errno)") }
    // Neither end leaks into children that other tests start meanwhile.
    for end in pipe { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO)
    var argv: [UnsafeMutablePointer<CChar>?] = ([String(path)] + arguments).map { strdup($0) }
    argv.append(nil)
    var id: pid_t = 0
    let status = posix_spawn(&id, String(path), &actions, nil, argv, environ)
    guard status == 0 else { fatalError("cannot start \(path): \(status)") }
    posix_spawn_file_actions_destroy(&actions)
    for argument in argv { free(argument) }
    close(pipe[1])
    output = pipe[0]
    self.id = id
  }

  /// The next report of 8 bytes, or nil once the process is gone.
  package func nextReport() -> Int64? {
    var value: Int64 = 0
    var done = 0
    while done < 8 {
      let count = withUnsafeMutableBytes(of: &value) {
        read(output, $0.baseAddress! + done, 8 - done)
      }
      if count <= 0 { return nil }
      done += count
    }
    return value
  }

  /// Kills the process at once.
  package func kill() { Glibc.kill(id, SIGKILL) }

  /// Waits for its end; the signal that killed it, or 0.
  @discardableResult
  package func wait() -> Int32 {
    var status: Int32 = 0
    if !isWaitedFor { waitpid(id, &status, 0) }
    isWaitedFor = true
    return status & 0x7f
  }

  deinit {
    if !isWaitedFor {
      kill()
      wait()
    }
    close(output)
  }
}

/// `fork`, which Swift hides: only for what a forked child must refuse. Runs `child` there, and gives
/// the child's status, as `waitpid` does.
package func forked(_ child: () -> Int32) -> Int32 {
  let symbol = dlsym(nil, "fork")!
  let fork = unsafeBitCast(symbol, to: (@convention(c) () -> pid_t).self)
  let process = fork()
  if process == 0 { _exit(child()) }
  var status: Int32 = 0
  waitpid(process, &status, 0)
  return status
}
