#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A text as numbers of words, in documents; some of them held back.
struct Corpus: Sendable {
  /// The distinct words, the held-out ones included, in order of first sight.
  private(set) var words: [String] = []
  /// Documents to train on.
  private(set) var training: [[Int32]] = []
  /// Documents to measure the loss on.
  private(set) var heldOut: [[Int32]] = []
  /// How often each word occurs in the training documents.
  private(set) var counts: [Int] = []
  private(set) var trainedWords = 0
  /// Running sums of `count^0.75`, by which negatives are drawn.
  private var weights: [Double] = []
  /// The probability with which an occurrence of each word is trained on.
  private(set) var keepProbabilities: [Double] = []

  /// The documents of a text, one a line; of each `heldOutEvery` one is held back.
  init(_ lines: [Substring], heldOutEvery: Int, seed: UInt64) {
    var numbers: [Substring: Int32] = [:]
    let chosen = Int(seed % UInt64(heldOutEvery))
    for (i, line) in lines.enumerated() {
      let document = line.split(separator: " ").map { word in
        if let number = numbers[word] { return number }
        let number = Int32(words.count)
        numbers[word] = number
        words.append(String(word))
        return number
      }
      if i % heldOutEvery == chosen { heldOut.append(document) } else { training.append(document) }
    }
    counts = [Int](repeating: 0, count: words.count)
    for document in training {
      for word in document { counts[Int(word)] += 1 }
      trainedWords += document.count
    }
    var sum = 0.0
    for count in counts {
      sum += pow(Double(count), 0.75)
      weights.append(sum)
      keepProbabilities.append(Self.keepProbability(count, of: trainedWords))
    }
  }

  /// Frequent words are thinned out as in word2vec.c, from a share of 1/10,000 of the text
  /// on.
  private static func keepProbability(_ count: Int, of total: Int) -> Double {
    let expected = 1e-4 * Double(total)
    let count = Double(max(count, 1))
    return min(1, ((count / expected).squareRoot() + 1) * expected / count)
  }

  /// Thins a document out.
  func subsample(_ document: [Int32], _ generator: inout Generator) -> [Int32] {
    document.filter { generator.unit() < keepProbabilities[Int($0)] }
  }

  /// A word of the training documents, drawn by `count^0.75`.
  func negative(_ generator: inout Generator) -> Int32 {
    let target = generator.unit() * weights[weights.count - 1]
    var (low, high) = (0, weights.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if weights[middle] > target { high = middle } else { low = middle + 1 }
    }
    return Int32(low)
  }

  /// Lines of words by a power law, which tend to come with others of the same topic: made up from a
  /// seed.
  static func synthetic(documents: Int, length: Int, words: Int, seed: UInt64) -> [Substring] {
    var generator = Generator(seed: seed)
    return (0..<documents).map { _ in
      let topic = generator.number(below: 8)
      let line = (0..<length).map { _ in
        let u = generator.unit()
        let rank = min(words - 1, Int(Double(words) * u * u * u * u))
        return "w\(generator.unit() < 0.8 ? rank / 8 * 8 + topic : rank)"
      }
      return Substring(line.joined(separator: " "))
    }
  }
}
