import ArgumentParser
import Embeddings

/// Trains word vectors straight from a text.
@main
struct Word2Vec: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "word2vec",
    abstract: "Trains word vectors from a text, without a dictionary.",
    discussion: """
      Skip-gram with negative sampling over two tables of an embedding database, as in section \
      3.1.4 of "DynamicEmbedding" (Zeng, Zuo, Shen, 2020): words are ids, and become rows when they \
      are first seen. Run the same command again to go on after an interruption, kill -9 included.

      EXAMPLE: word2vec corpus.txt.zst model.embeddings --epochs 5 --export vectors.txt
      """)

  @Argument(help: "The text, plain or .zst: words between spaces, one sentence a line.")
  var text: String

  @Argument(help: "The directory of the database; created where it does not exist.")
  var database: String

  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Run") var run: RunOptions
  @OptionGroup(title: "Results") var results: ResultOptions

  func run() async throws {
    let parameters = model.parameters
    let summary = try CorpusSummary(of: text, layout: parameters.layout)
    let store = try EmbeddingDatabase(
      at: database,
      options: .init(
        cacheBudget: run.cache << 20, durability: run.noSync ? .noSync : .full))
    try RunRecord(parameters, summary).claim(store)
    let tables = try WordTables(store, parameters)
    let schedule = Schedule(parameters: parameters, summary: summary)
    let progress = Progress(isQuiet: run.quiet)
    try CountingPass(tables: tables, path: text, schedule: schedule).run(progress)
    try await Trainer(
      tables: tables, path: text, schedule: schedule, threads: run.threads,
      acceptsPartialStep: run.acceptPartialStep
    ).run(progress)
    try results.write(tables.words)
    try results.evaluate(tables.words, minimumCount: parameters.minimumCount)
    try store.close()
  }
}
