import ArgumentParser
import Embeddings
import Glibc

/// The database that a command works on.
struct DatabaseArguments: ParsableArguments {
  @Argument(help: "The database, a directory.", completion: .directory)
  var database: String

  /// Shown by the error that asks for it, and in `--help-hidden`.
  @Flag(
    help: ArgumentHelp(
      "Accept a network file system, whose locks and maps cannot be trusted.", visibility: .hidden))
  var allowUnsafeFileSystem = false

  /// Opens the database to read the last commit, beside whoever writes.
  func openForReading() throws(EmbeddingError) -> EmbeddingDatabase {
    try openDatabaseForReading(database, allowsUnsafeFileSystem: allowUnsafeFileSystem)
  }

  /// Opens the database to change it.
  func openForWriting(creating: Bool = false) throws(EmbeddingError) -> EmbeddingDatabase {
    var options = EmbeddingDatabase.Options()
    options.allowsUnsafeFileSystem = allowUnsafeFileSystem
    if !creating { try checkExists() }
    return try EmbeddingDatabase(at: database, options: options)
  }

  /// Refuses a path without a database, and says what is there.
  func checkExists() throws(EmbeddingError) { try checkDatabaseExists(database) }

  /// Whether there is a database.
  var exists: Bool { databaseExists(database) }
}

/// Opens a database to read the last commit, beside whoever writes.
func openDatabaseForReading(
  _ path: String, allowsUnsafeFileSystem: Bool
) throws(EmbeddingError) -> EmbeddingDatabase {
  var options = EmbeddingDatabase.Options.readOnly
  options.allowsUnsafeFileSystem = allowsUnsafeFileSystem
  try checkDatabaseExists(path)
  return try EmbeddingDatabase(at: path, options: options)
}

private func databaseExists(_ path: String) -> Bool { access(path + "/data.mdb", F_OK) == 0 }

private func checkDatabaseExists(_ path: String) throws(EmbeddingError) {
  guard !databaseExists(path) else { return }
  var status = Glibc.stat()
  let reason =
    stat(path, &status) != 0
    ? "It does not exist."
    : status.st_mode & S_IFMT == S_IFDIR
      ? "The directory holds no database."
      : isSnapshot(path)
        ? "It is a snapshot, which never changes."
        : "It is a file; a database is a directory."
  throw EmbeddingError(
    .notFound,
    "There is no database at \(path). \(reason) Make one with 'embstore create' or "
      + "'embstore import --create'.")
}

/// The table that a command works on.
struct TableOption: ParsableArguments {
  @Option(
    name: .shortAndLong, help: "The table; may be left out where there is only one.",
    completion: .custom { words, _, _ in completeTable(words) })
  var table: String?

  /// Opens the table named, or the only one.
  func open(in database: EmbeddingDatabase) throws(EmbeddingError) -> EmbeddingTable {
    try database.table(try name(in: database))
  }

  /// The name given, or that of the only table.
  func name(in database: EmbeddingDatabase) throws(EmbeddingError) -> String {
    if let table { return table }
    // Shared rows stand in a table that belongs to another one.
    let names = try database.tableNames.filter { !$0.hasSuffix("/shared") }
    switch names.count {
    case 1: return names[0]
    case 0:
      throw EmbeddingError(
        .notFound,
        "The database \(database.path) has no tables. Make one with 'embstore create' or "
          + "'embstore import --create'.")
    default:
      throw EmbeddingError(
        .invalidArgument,
        "The database \(database.path) has \(names.count) tables. Name one with --table: "
          + names.joined(separator: ", ") + ".")
    }
  }
}

/// The tables of the first word that names a database.
func completeTable(_ words: [String]) -> [String] {
  for word in words.dropFirst(2) where access(word + "/data.mdb", F_OK) == 0 {
    if let database = try? EmbeddingDatabase(at: word, options: .readOnly) {
      return (try? database.tableNames) ?? []
    }
  }
  return []
}

/// How a command tells what it did.
struct OutputOptions: ParsableArguments {
  @Flag(help: "Print JSON, for programs.")
  var json = false
}

/// Whether long work shows how far it is.
struct ProgressOptions: ParsableArguments {
  @Flag(name: .shortAndLong, help: "Show no progress bar. (None is shown unless on a terminal.)")
  var quiet = false
}
