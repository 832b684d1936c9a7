public import ArgumentParser
public import Embeddings

/// What is done with the trained vectors.
struct ResultOptions: ParsableArguments {
  @Option(help: "Write the vectors to this file, the most frequent word first.")
  var export: String?

  @Option(help: "The format of that file.")
  var exportFormat = FileFormat.word2vecText

  @Option(help: "Word pairs with human similarity scores, tab-separated, such as WordSim-353.")
  var evaluateWordsim: String?

  @Option(help: "Word pairs as above, such as SimLex-999.")
  var evaluateSimlex: String?

  @Option(help: "Analogy questions of four words a line, such as questions-words.txt.")
  var evaluateAnalogies: String?

  @Option(help: "Answer analogies from so many of the most frequent words.")
  var restrictVocab = 300_000

  /// Writes the vectors of the last commit, if that was asked for.
  func write(_ words: EmbeddingTable) throws(EmbeddingError) {
    guard let export else { return }
    try words.exportFile(export, FileExportOptions(format: exportFormat, order: .frequency))
  }

  /// Evaluates what was asked for, and prints the results.
  func evaluate(_ words: EmbeddingTable, minimumCount: UInt64) throws(EmbeddingError) {
    let vectors = WordVectors(words, minimumCount: minimumCount)
    if let path = evaluateWordsim {
      print("wordsim: \(try WordPairs(path: path).evaluate(vectors))")
    }
    if let path = evaluateSimlex {
      print("simlex: \(try WordPairs(path: path).evaluate(vectors))")
    }
    if let path = evaluateAnalogies {
      let questions = try Analogies(path: path)
      print("analogies: \(try questions.evaluate(vectors, restrictedTo: restrictVocab))")
    }
  }
}

extension FileFormat: ExpressibleByArgument {}
