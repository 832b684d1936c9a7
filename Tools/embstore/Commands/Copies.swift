import ArgumentParser
import Embeddings
import Glibc

/// Copies a database.
struct Backup: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Copy the last commit to another directory, while training goes on.",
    discussion: """
      The copy appears whole or not at all, and is a database like any other. It is as large as the \
      original; 'embstore compact' makes a smaller one, more slowly.

      With --json: database, copy, bytes_before, bytes_after.

      EXAMPLES:
        embstore backup words.emb /backup/words-2024-05-01.emb
      """)

  @OptionGroup var database: DatabaseArguments
  @Argument(help: "The directory of the copy; must not hold a database.", completion: .directory)
  var copy: String
  @OptionGroup var output: OutputOptions

  func run() throws {
    try copyDatabase(database, to: copy, "Backed up", output) {
      (store) throws(EmbeddingError) in try store.backup(to: copy)
    }
  }
}

/// Copies a database without its free pages.
struct Compact: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Rewrite a database, or copy it, without free pages.",
    discussion: """
      A database file never shrinks by itself: what was deleted or evicted leaves pages to be filled \
      again ('embstore stat' shows how many). Without COPY, the database is rewritten in place: a \
      copy is made beside it, so that there must be room for both, and takes its place at once; \
      interrupted at any point, the old file or the new one is there, whole. No other process may \
      have the database open. With COPY, the original stays as it is, and may be open.

      With --json: database, copy (null in place), bytes_before, bytes_after.

      EXAMPLES:
        embstore compact words.emb
        embstore compact words.emb small.emb
      """)

  @OptionGroup var database: DatabaseArguments
  @Argument(
    help: "The directory of the copy; must not hold a database. Without it, in place.",
    completion: .directory)
  var copy: String?
  @OptionGroup var output: OutputOptions

  func run() throws {
    guard let copy else { return try compactInPlace() }
    try copyDatabase(database, to: copy, "Compacted", output) {
      (store) throws(EmbeddingError) in try store.compact(to: copy)
    }
  }
}

extension Compact {
  fileprivate func compactInPlace() throws {
    let path = database.database
    try database.checkExists()
    var options = EmbeddingDatabase.Options()
    options.allowsUnsafeFileSystem = database.allowUnsafeFileSystem
    let sizes = try Interruption.during(
      "the database is as it was, or compacted",
      cleanUp: { unlink(path + "/data.mdb.compacting") }
    ) { [options] () throws(EmbeddingError) in
      try EmbeddingDatabase.compact(at: path, options: options)
    }
    try report(
      "Compacted \(path) from \(byteText(sizes.bytesBefore)) to \(byteText(sizes.bytesAfter)).",
      .object([
        ("database", .string(path)), ("copy", .null),
        ("bytes_before", .integer(sizes.bytesBefore)),
        ("bytes_after", .integer(sizes.bytesAfter)),
      ]), asJSON: output.json)
  }
}

private func copyDatabase(
  _ database: DatabaseArguments, to copy: String, _ done: String, _ output: OutputOptions,
  _ make: (EmbeddingDatabase) throws(EmbeddingError) -> Void
) throws {
  let store = try database.openForReading()
  let isNew = access(copy, F_OK) != 0
  try Interruption.during(
    "nothing was copied",
    cleanUp: {
      removeFiles(in: copy, prefix: "data.mdb.partial-", containing: "\(getpid())")
      if isNew { rmdir(copy) }
    }
  ) { () throws(EmbeddingError) in try make(store) }
  let before = fileSize(store.path + "/data.mdb")
  let after = fileSize(copy + "/data.mdb")
  try report(
    "\(done) \(store.path) (\(byteText(before))) to \(copy) (\(byteText(after))).",
    .object([
      ("database", .string(store.path)), ("copy", .string(copy)),
      ("bytes_before", .integer(before)), ("bytes_after", .integer(after)),
    ]), asJSON: output.json)
}

/// The size of a file. It is not opened: that would drop the locks that LMDB holds on it.
private func fileSize(_ path: String) -> Int {
  var status = Glibc.stat()
  return stat(path, &status) == 0 ? Int(status.st_size) : 0
}
