import ArgumentParser
import Embeddings

/// Empties a table's admission filter.
struct ResetFilter: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Empty the admission filter of a table.",
    discussion: """
      For a filter that is damaged, as 'embstore verify' tells. Rows and shared rows stay as they \
      are; ids without a row of their own are counted from nothing again.

      With --json: table.

      EXAMPLES:
        embstore verify ads.emb
        embstore reset-filter ads.emb --table users
      """)

  @OptionGroup var database: DatabaseArguments
  @OptionGroup var table: TableOption
  @OptionGroup var output: OutputOptions

  func run() throws {
    let store = try database.openForWriting()
    let target = try table.open(in: store)
    try target.resetAdmissionFilter()
    try report(
      "The admission filter of table \(target.name) is empty now; its rows are as they were.",
      .object([("table", .string(target.name))]), asJSON: output.json)
    try store.close()
  }
}
