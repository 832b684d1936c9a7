import Glibc
import LMDB
import StorageBase
import TestSupport
import Testing

/// Opens an environment; small maps and few slots where a test wants them.
func open(
  _ path: String, mapSize: Int = 1 << 30, maximumMapSize: Int? = nil, maxReaders: Int = 126,
  durability: Durability = .noSync, isReadOnly: Bool = false, growthTimeout: Int = 60
) throws(EmbeddingError) -> Environment {
  try Environment(
    path: path,
    options: Environment.Options(
      mapSize: mapSize, maximumMapSize: maximumMapSize, maxReaders: maxReaders,
      maxNamedDatabases: 16, durability: durability, isReadOnly: isReadOnly,
      growthTimeout: growthTimeout))
}

extension Environment {
  /// The database with integer keys that most tests use.
  func rows() throws(EmbeddingError) -> NamedDatabase {
    try namedDatabase("rows", integerKeys: true, create: !options.isReadOnly)!
  }

  /// Sets `key` to `value` repeated `count` times, in a commit of its own.
  func set(_ key: UInt64, _ value: UInt8, count: Int = 8, in database: NamedDatabase)
    throws(EmbeddingError)
  {
    try write { (transaction) throws(EmbeddingError) in
      try transaction.put(key, [UInt8](repeating: value, count: count), in: database)
    }
  }

  /// The value of `key` in the last commit.
  func value(_ key: UInt64, in database: NamedDatabase) throws(EmbeddingError) -> [UInt8]? {
    try read { (transaction) throws(EmbeddingError) in
      try transaction.get(key, in: database).map { Array($0) }
    }
  }

  /// Expects that every page of the file is in a tree or free, where `database` is the only one:
  /// nothing is lost, and nothing counts twice.
  func expectNoPageIsLost(_ database: NamedDatabase) throws(EmbeddingError) {
    let file = try statistics()
    let tree = try read { (transaction) throws(EmbeddingError) in
      try transaction.statistics(of: database)
    }
    let used = tree.branchPages + tree.leafPages + tree.overflowPages
    // Beside them two meta pages, the unnamed tree and that of free pages, with 8 bytes for each.
    let others = file.lastPage + 1 - used - file.freePages
    #expect((2...12 + file.freePages / 500).contains(others), "\(file) \(tree)")
  }
}

extension WriteTransaction {
  func put(_ key: UInt64, _ value: [UInt8], in database: NamedDatabase) throws(EmbeddingError) {
    try value.withBytes { (bytes) throws(EmbeddingError) in
      try put(key, bytes, in: database)
    }
  }
}

extension [UInt8] {
  /// `withUnsafeBytes` with a typed error.
  func withBytes<R>(
    _ body: (UnsafeRawBufferPointer) throws(EmbeddingError) -> R
  ) throws(EmbeddingError) -> R {
    let result: Result<R, EmbeddingError> = withUnsafeBytes { bytes in
      do throws(EmbeddingError) { return .success(try body(bytes)) } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }
}

/// The code of the error that `body` throws; nil where it throws none.
func code(of body: () throws(EmbeddingError) -> Void) -> EmbeddingError.Code? {
  do throws(EmbeddingError) {
    try body()
    return nil
  } catch { return error.code }
}

/// Runs `body` in `count` threads at once and waits for all of them.
func inThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
  final class Start: Sendable {
    let index: Int
    let body: @Sendable (Int) -> Void
    init(_ index: Int, _ body: @escaping @Sendable (Int) -> Void) {
      self.index = index
      self.body = body
    }
  }
  let threads = (0..<count).map { index in
    var thread = pthread_t()
    let start = Unmanaged.passRetained(Start(index, body)).toOpaque()
    let code = pthread_create(
      &thread, nil,
      { argument in
        let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
        start.body(start.index)
        return nil
      }, start)
    precondition(code == 0)
    return thread
  }
  for thread in threads { pthread_join(thread, nil) }
}
