import Glibc
import StorageBase
import Synchronization

/// The directories that this process has open as environments.
///
/// LMDB's locks are POSIX record locks, which belong to the process: closing any descriptor of a
/// lock file drops them all. So a directory is opened once in a process, and shared.
enum EnvironmentRegistry {
  /// What identifies a directory, whatever path leads to it.
  struct Key: Hashable, Sendable {
    var device: UInt64
    var inode: UInt64
  }

  private static let open = Mutex<Set<Key>>([])

  /// Reserves the directory at `path` for one environment.
  static func reserve(_ path: String) throws(EmbeddingError) -> Key {
    var status = stat()
    guard stat(path, &status) == 0 else { throw fileError(errno, path, "looking at") }
    let key = Key(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    guard open.withLock({ $0.insert(key).inserted }) else {
      throw EmbeddingError(
        .environmentInUse,
        "\(path) is open in this process already: share the one object among its users, or end its "
          + "transactions and close it first")
    }
    return key
  }

  /// Ends a reservation, after the files are closed.
  static func release(_ key: Key) { _ = open.withLock { $0.remove(key) } }
}
