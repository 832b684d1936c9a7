import CLMDB
import Glibc
package import StorageBase
import Synchronization

/// One LMDB environment: a directory with `data.mdb` and `lock.mdb`, shared by all threads.
///
/// One writer and any number of readers work at once; each reader sees one commit, whole. A
/// directory is opened once in a process; other processes may have it open too.
///
/// `@unchecked Sendable`: the mutable state is behind `monitor`; what `generations` points to
/// changes only while no transaction of another thread can use the entry.
package final class Environment: @unchecked Sendable {
  /// The directory.
  package let path: String
  /// The options it was opened with.
  package let options: Options

  let monitor: Monitor<EnvironmentState>
  let registryKey: EnvironmentRegistry.Key
  /// The process that opened the environment; a forked child must not use it.
  let process: pid_t
  /// For each LMDB handle the generation of the named database behind it; 0 where none is open.
  let generations: UnsafeMutableBufferPointer<UInt64>
  /// The bytes of a page, chosen when the file was made.
  package let pageSize: Int
  /// How often the map was moved, while no transaction was open.
  let mapMoves = Atomic<UInt64>(0)

  /// Opens the directory at `path`, creating it and its files unless read-only.
  ///
  /// Throws `.environmentInUse` where this process has it open already, `.corruption` where
  /// `data.mdb` is damaged, `.notFound` where a read-only environment does not exist, and
  /// `.unsupportedFileSystem`.
  package init(path: String, options: Options = Options()) throws(EmbeddingError) {
    let dataFile = path + "/data.mdb"
    if options.isReadOnly {
      guard fileExists(dataFile) else {
        throw EmbeddingError(
          .notFound, "there is no database at \(path): open it writable once to create it")
      }
    } else {
      try createDirectory(path)
    }
    if !options.allowsUnsafeFileSystem { try checkFileSystem(of: path) }

    let key = try EnvironmentRegistry.reserve(path)
    let environment: OpaquePointer
    do throws(EmbeddingError) {
      let isNew = try !checkDataFile(dataFile, isReadOnly: options.isReadOnly)
      environment = try Self.open(path, options)
      if isNew {
        do throws(EmbeddingError) {
          try syncDirectory(path)
        } catch {
          mdb_env_close(environment)
          throw error
        }
      }
    } catch {
      EnvironmentRegistry.release(key)
      throw error
    }

    self.path = path
    self.options = options
    registryKey = key
    process = getpid()
    var stat = MDB_stat()
    mdb_env_stat(environment, &stat)
    pageSize = Int(stat.ms_psize)
    generations = .allocate(capacity: options.maxNamedDatabases + 2)
    generations.initialize(repeating: 0)
    var state = EnvironmentState()
    state.environment = environment
    monitor = Monitor(state)
  }

  deinit {
    // No transaction is open: each holds the environment. A forked child leaves everything as it
    // is, since closing would clear its parent's reader slots.
    if getpid() == process { closeFiles() }
    generations.deallocate()
  }

  /// Refuses an environment that was carried over a fork.
  package func checkProcess() throws(EmbeddingError) {
    guard getpid() == process else {
      throw EmbeddingError(
        .forked,
        "this process was forked from the one that opened \(path): open it again in the child, "
          + "before the fork close it or do not use it")
    }
  }

  /// A number that no other opened database of this process has.
  static func nextGeneration() -> UInt64 {
    generationCounter.add(1, ordering: .relaxed).newValue
  }

  private static let generationCounter = Atomic<UInt64>(0)
}
