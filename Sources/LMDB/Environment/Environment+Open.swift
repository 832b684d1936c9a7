import CLMDB
import Glibc
import StorageBase

extension Environment {
  /// The map is not made smaller than this to fit an address-space limit.
  static let smallestFallback = 1 << 30

  /// Opens LMDB, with a smaller map where the address space is limited.
  static func open(_ path: String, _ options: Options) throws(EmbeddingError) -> OpaquePointer {
    guard options.mapSize > 0, options.maxReaders > 0, options.maxNamedDatabases >= 0 else {
      throw EmbeddingError(
        .invalidArgument,
        "mapSize (\(options.mapSize)), maxReaders (\(options.maxReaders)) and maxNamedDatabases "
          + "(\(options.maxNamedDatabases)) must be positive")
    }
    var mapSize = roundedToPage(min(options.mapSize, options.maximumMapSize ?? .max))
    while true {
      let (environment, code) = try open(path, options, mapSize: mapSize)
      if let environment {
        guard isCurrent(environment, path) else {
          mdb_env_close(environment)
          continue
        }
        var cleared: Int32 = 0
        mdb_reader_check(environment, &cleared)
        return environment
      }
      guard code == ENOMEM, mapSize > smallestFallback else {
        throw lmdbError(code, "opening \(path)")
      }
      mapSize = max(mapSize / 2, smallestFallback)
    }
  }

  private static func open(
    _ path: String, _ options: Options, mapSize: Int
  ) throws(EmbeddingError) -> (OpaquePointer?, Int32) {
    var created: OpaquePointer?
    try check(mdb_env_create(&created), "creating an environment")
    guard let environment = created else { fatalError("mdb_env_create gave no environment") }
    mdb_env_set_mapsize(environment, mapSize)
    mdb_env_set_maxreaders(environment, UInt32(clamping: options.maxReaders))
    mdb_env_set_maxdbs(environment, UInt32(clamping: options.maxNamedDatabases))
    let code = mdb_env_open(environment, path, flags(options, path), 0o664)
    guard code == MDB_SUCCESS else {
      // LMDB asks for this after a failed open too.
      mdb_env_close(environment)
      return (nil, code)
    }
    return (environment, code)
  }

  /// `MDB_NOTLS` always: a reader slot belongs to its transaction, not to its thread. Never
  /// `MDB_WRITEMAP`: stray writes would reach the disk, and a full one would raise `SIGBUS`.
  /// `MDB_NORDAHEAD` where the file may not fit into memory: the system would read as much around
  /// each page as its disk is set to (8 MiB on some), and drop pages that are in use for it. Scans of
  /// blocks then ask for what comes next (`ReadAhead`).
  private static func flags(_ options: Options, _ path: String) -> UInt32 {
    var flags = MDB_NOTLS
    if mayNotFitIntoMemory(path + "/data.mdb") { flags |= MDB_NORDAHEAD }
    if options.isReadOnly { flags |= MDB_RDONLY }
    switch options.durability {
    case .full: break
    case .lastCommitMayBeLost: flags |= MDB_NOMETASYNC
    case .noSync: flags |= MDB_NOSYNC
    }
    return UInt32(flags)
  }

  /// Whether a file takes more than half of the memory that is available now.
  private static func mayNotFitIntoMemory(_ path: String) -> Bool {
    var status = stat()
    guard stat(path, &status) == 0, let available = availableMemory() else { return false }
    return Int(status.st_size) > available / 2
  }

  /// LMDB wants a multiple of the system's page size, and some pages at least.
  static func roundedToPage(_ size: Int) -> Int {
    let page = sysconf(Int32(_SC_PAGESIZE))
    return max(size / page, 16) * page
  }
}
