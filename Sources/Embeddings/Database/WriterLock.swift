import StorageBase
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The right to write to a database, held by one process: its cache is ahead of the last commit,
/// so that two writers would undo each other.
///
/// An advisory `flock` on `writer.lock`, a file of its own: closing LMDB's files by hand would
/// break LMDB's locks. The kernel releases it when the process ends, however it ends.
final class WriterLock: Sendable {
  private let descriptor: Mutex<Int32>
  /// The process that took it.
  private let process = getpid()

  init(directory: String) throws(EmbeddingError) {
    let file = directory + "/writer.lock"
    let opened = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard opened >= 0 else {
      throw EmbeddingError(
        .io, "Cannot open \(file); check the directory's permissions.",
        cause: SystemErrno(rawValue: errno))
    }
    guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
      Glibc.close(opened)
      throw EmbeddingError(
        .environmentInUse,
        "Another process has the database \(directory) open for writing. Open it read-only, or wait "
          + "until that process is done.")
    }
    descriptor = Mutex(opened)
  }

  func release() {
    descriptor.withLock { descriptor in
      guard descriptor >= 0 else { return }
      // A child that was just forked has the same lock, until it runs its own program.
      if getpid() == process { flock(descriptor, LOCK_UN) }
      Glibc.close(descriptor)
      descriptor = -1
    }
  }

  deinit { release() }
}
