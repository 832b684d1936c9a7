import Embeddings

/// What is trained in one batch: the words kept, their windows and the negatives, as row numbers of
/// the batch's local copy of the tables. It holds all of the batch's random choices, made before any
/// vector is read, so that one lookup fetches every row.
struct BatchPlan {
  /// The words kept by subsampling, as numbers of `rows`.
  private(set) var kept: [Int32] = []
  /// Where each sentence ends among the words kept.
  private(set) var sentenceEnds: [Int] = []
  /// The reach of each kept word's window, uniform in 1...window.
  private(set) var reaches: [Int32] = []
  /// The negatives of each pair in the order of `forEachPair`, as numbers of `rows`.
  private(set) var negatives: [Int32] = []
  /// The distinct words: first those kept, then the negatives that are not among them.
  private(set) var rows = WordIndex()
  /// How many of `rows` are kept words; those alone are read from the input table.
  private(set) var inputRows = 0
  /// The number of (input, predicted word) pairs.
  private(set) var pairs = 0

  private var seen = WordIndex()
  private var seenOf: [Int32] = []
  private var keep: [Double] = []
  private var rowOfSeen: [Int32] = []
  private var rowOfPoolWord: [Int32] = []

  /// Plans `batch`.
  mutating func make(
    _ batch: WordBatch, from table: EmbeddingTable, _ subsampling: Subsampling,
    _ pool: NegativePool, window: Int, negativesPerPair: Int, using generator: inout Generator
  ) throws(EmbeddingError) {
    try keepWords(batch, from: table, subsampling, using: &generator)
    inputRows = rows.count
    pairs = 0
    for _ in kept { reaches.append(Int32(generator.next(below: window) + 1)) }
    forEachPair { _, _ in pairs += 1 }
    drawNegatives(pairs * negativesPerPair, from: pool, using: &generator)
  }

  /// Thins the batch out by the frequencies that the store has of its words.
  private mutating func keepWords(
    _ batch: WordBatch, from table: EmbeddingTable, _ subsampling: Subsampling,
    using generator: inout Generator
  ) throws(EmbeddingError) {
    clear()
    for i in 0..<batch.count {
      seenOf.append(Int32(batch.words.withBytes(of: i) { seen.insert($0) }))
    }
    keep = try table.metadata(seen.ids).map { subsampling.keepProbability($0) }
    rowOfSeen.append(contentsOf: repeatElement(-1, count: seen.count))
    var start = 0
    for end in batch.sentenceEnds {
      for number in seenOf[start..<end] {
        let probability = keep[Int(number)]
        if probability == 0 || (probability < 1 && generator.unit() >= probability) { continue }
        if rowOfSeen[Int(number)] < 0 {
          let hash = seen.hashes[Int(number)]
          rowOfSeen[Int(number)] = Int32(
            seen.ids.withBytes(of: Int(number)) { rows.insert($0, hash: hash) })
        }
        kept.append(rowOfSeen[Int(number)])
      }
      if kept.count > (sentenceEnds.last ?? 0) { sentenceEnds.append(kept.count) }
      start = end
    }
  }

  private mutating func drawNegatives(
    _ count: Int, from pool: NegativePool, using generator: inout Generator
  ) {
    rowOfPoolWord.append(contentsOf: repeatElement(-1, count: pool.words.count))
    negatives.reserveCapacity(count)
    for _ in 0..<count {
      let word = Int(pool.draws[generator.next(below: pool.draws.count)])
      if rowOfPoolWord[word] < 0 {
        let hash = pool.words.hashes[word]
        rowOfPoolWord[word] = Int32(
          pool.words.ids.withBytes(of: word) { rows.insert($0, hash: hash) })
      }
      negatives.append(rowOfPoolWord[word])
    }
  }

  private mutating func clear() {
    kept.removeAll(keepingCapacity: true)
    sentenceEnds.removeAll(keepingCapacity: true)
    reaches.removeAll(keepingCapacity: true)
    negatives.removeAll(keepingCapacity: true)
    seenOf.removeAll(keepingCapacity: true)
    rowOfSeen.removeAll(keepingCapacity: true)
    rowOfPoolWord.removeAll(keepingCapacity: true)
    rows.removeAll()
    seen.removeAll()
  }

  /// Calls `body` with the rows of each pair: the input, a word within reach, and the word at the
  /// middle of the window, which it predicts.
  @inline(__always)
  func forEachPair(_ body: (_ input: Int, _ predicted: Int) -> Void) {
    var start = 0
    for end in sentenceEnds {
      for middle in start..<end {
        let reach = Int(reaches[middle])
        for i in max(start, middle - reach)..<min(end, middle + reach + 1) where i != middle {
          body(Int(kept[i]), Int(kept[middle]))
        }
      }
      start = end
    }
  }
}
