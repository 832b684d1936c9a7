import Embeddings
import Glibc

extension Import {
  /// The table to import into, and whether it was made for that.
  struct Target {
    let table: EmbeddingTable
    let isNewTable: Bool
    let isNewDatabase: Bool

    /// What an interruption leaves.
    var onInterruption: String {
      isNewTable && !isNewDatabase
        ? "nothing was imported; the new table \(table.name) is empty" : "nothing was imported"
    }

    /// Removes what was made.
    func undo() throws(EmbeddingError) {
      let database = table.database
      if isNewTable && !isNewDatabase { try database.dropTable(table.name) }
      try database.close()
      if isNewDatabase { removal(of: database.path)() }
    }
  }

  /// The table that a file asks for, where none is named.
  struct Wanted {
    var name: String
    var configuration: TableConfiguration
  }

  /// Opens the table, making what is missing if that is wanted; `inspect` says what the file asks
  /// for, and is not called for standard input.
  func open(
    _ inspect: () throws(EmbeddingError) -> Wanted
  ) throws(EmbeddingError) -> Target {
    let isNewDatabase = !database.exists
    guard create else {
      let store = try database.openForWriting()
      return Target(table: try table.open(in: store), isNewTable: false, isNewDatabase: false)
    }
    // What the file says comes first, so that nothing is made for one that cannot be read.
    let wanted = file == "-" ? nil : try inspect()
    let store = try database.openForWriting(creating: true)
    do throws(EmbeddingError) {
      let names = try store.tableNames
      let name =
        if table.table == nil && names.isEmpty {
          wanted?.name ?? tableName(of: file)
        } else {
          try table.name(in: store)
        }
      if names.contains(name) {
        return Target(table: try store.table(name), isNewTable: false, isNewDatabase: false)
      }
      guard let configuration = wanted?.configuration else {
        throw EmbeddingError(
          .invalidArgument,
          "Standard input is read only once, so no table can be made to fit it. Make one with "
            + "'embstore create \(store.path) \(name) --dimension N', and import without --create.")
      }
      try configuration.check(name: name)
      return Target(
        table: try store.table(name, configuration), isNewTable: true, isNewDatabase: isNewDatabase)
    } catch {
      try store.close()
      if isNewDatabase { removal(of: store.path)() }
      throw error
    }
  }
}

/// The name of a path without its folder.
func baseName(_ path: String) -> String {
  path.split(separator: "/").last.map(String.init) ?? path
}

/// The table name that a file suggests: its own without folder and endings.
func tableName(of file: String) -> String {
  var name = Substring(baseName(file))
  let endings = [
    ".zst", ".txt", ".bin", ".vec", ".glove", ".npy", ".safetensors", ".vectors", "-keys",
    "-values",
  ]
  while let ending = endings.first(where: name.hasSuffix) { name.removeLast(ending.count) }
  return name.isEmpty || name == "-" ? "embeddings" : String(name)
}

/// Removes the files of a database that this command made, and the directory if nothing else is
/// in it.
func removal(of database: String) -> @Sendable () -> Void {
  {
    for file in ["data.mdb", "lock.mdb", "writer.lock"] { unlink(database + "/" + file) }
    rmdir(database)
  }
}
