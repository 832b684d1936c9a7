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
    abstract: "Copy the last commit to another directory, without free pages.",
    discussion: """
      A database file never shrinks: what was deleted leaves pages to be filled again ('embstore \
      stat' shows how many). The copy has none. To put it in the place of the original, end every \
      process that has the original open, then rename the directories.

      EXAMPLES:
        embstore compact words.emb small.emb
        mv words.emb old.emb && mv small.emb words.emb
      """)

  @OptionGroup var database: DatabaseArguments
  @Argument(help: "The directory of the copy; must not hold a database.", completion: .directory)
  var copy: String
  @OptionGroup var output: OutputOptions

  func run() throws {
    try copyDatabase(database, to: copy, "Compacted", output) {
      (store) throws(EmbeddingError) in try store.compact(to: copy)
    }
  }
}

private func copyDatabase(
  _ database: DatabaseArguments, to copy: String, _ done: String, _ output: OutputOptions,
  _ make: (EmbeddingDatabase) throws(EmbeddingError) -> Void
) throws {
  let store = try database.openForReading()
  try Interruption.during(
    "nothing was copied",
    cleanUp: { removeFiles(in: copy, prefix: "data.mdb.partial-", containing: "\(getpid())") }
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
