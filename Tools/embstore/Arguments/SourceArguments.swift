import ArgumentParser
import Embeddings

/// What a command that looks works on: a database, or a snapshot.
struct SourceArguments: ParsableArguments {
  @Argument(help: "The database, a directory; or a snapshot, a file.", completion: .file())
  var database: String

  /// Shown by the error that asks for it, and in `--help-hidden`.
  @Flag(
    help: ArgumentHelp(
      "Accept a network file system, whose locks and maps cannot be trusted.", visibility: .hidden))
  var allowUnsafeFileSystem = false

  /// Whether it is a snapshot, or by its name should be one.
  var isOfSnapshot: Bool { isSnapshot(database) || database.hasSuffix(FileKind.snapshotEnding) }

  /// Opens the database to read the last commit, beside whoever writes.
  func openDatabase() throws(EmbeddingError) -> EmbeddingDatabase {
    try openDatabaseForReading(database, allowsUnsafeFileSystem: allowUnsafeFileSystem)
  }

  /// Opens a table of the database, or the snapshot.
  func open(_ table: TableOption) throws(EmbeddingError) -> Source {
    guard isOfSnapshot else { return .table(try table.open(in: try openDatabase())) }
    let store = try SnapshotStore(database)
    try table.check(store.snapshot, path: database)
    return .snapshot(store)
  }
}

extension TableOption {
  /// Refuses the name of a table that the snapshot is not of.
  func check(_ snapshot: SnapshotDescription, path: String) throws(EmbeddingError) {
    guard let table, table != snapshot.table else { return }
    throw EmbeddingError(
      .notFound,
      "\(path) is a snapshot of table \(snapshot.table), and has no table \(table). Leave out "
        + "--table.")
  }
}

/// Rows to look at.
enum Source {
  case table(EmbeddingTable)
  case snapshot(SnapshotStore)

  var store: any EmbeddingStore {
    switch self {
    case .table(let table): table
    case .snapshot(let store): store
    }
  }

  var configuration: TableConfiguration { store.configuration }

  /// What errors call it.
  var title: String {
    switch self {
    case .table(let table): "table \(table.name)"
    case .snapshot(let store): "snapshot \(store.path)"
    }
  }

  /// Vectors and metadata of `ids`, both of the same commit.
  func rows(_ ids: IDColumn) throws(EmbeddingError) -> (vectors: [Float], metadata: [RowMetadata]) {
    switch self {
    case .table(let table): try table.rows(ids)
    case .snapshot(let store): (try store.lookup(ids), try store.metadata(ids))
    }
  }
}
