import StorageBase

/// Reads word2vec text, fastText `.vec` and GloVe: a word and its values a line.
///
/// Fields stand between spaces or tabs, trailing ones are ignored, and lines end in LF or CR LF. A
/// word may contain spaces, as some of GloVe 840B do: the values are then taken from the right. Of
/// a word's parts only the first may be a number, so that a line with a value too many is an error
/// and not a word.
final class TextReader: RowReader {
  let format: ExchangeFormat
  let dimension: Int
  let idType: IDType
  let declaredCount: Int?
  private let source: ByteSource
  private let ids: IDParser
  private let vocabulary: Vocabulary?
  private let allowsNonFinite: Bool
  private var rows = 0
  private var blankLine: Int?

  init(
    _ source: ByteSource, format: ExchangeFormat, options: ReaderOptions, vocabulary: Vocabulary?
  ) throws(EmbeddingError) {
    self.source = source
    self.format = format
    self.vocabulary = vocabulary
    idType = options.idType ?? .bytes
    ids = IDParser(type: idType, requiresUTF8: options.requiresUTF8)
    allowsNonFinite = options.allowsNonFinite
    if format == .glove {
      declaredCount = nil
      dimension = try Self.firstLineDimension(source, options)
    } else {
      let header = try Self.header(source)
      declaredCount = header.count
      dimension = header.dimension
    }
  }

  var progress: ReadProgress {
    ReadProgress(bytesRead: source.bytesRead, totalBytes: source.totalBytes)
  }

  func read(into batch: inout RowBatch, limit: Int) throws(EmbeddingError) -> Int {
    check(batch, limit)
    batch.removeAll()
    while batch.count < limit {
      let isRow = try source.nextLine(maximum: Limits.line) { (line) throws(EmbeddingError) in
        try parse(line, into: &batch)
      }
      guard let isRow else {
        try checkEnd()
        break
      }
      if isRow { rows += 1 }
    }
    return batch.count
  }

  private func checkEnd() throws(EmbeddingError) {
    if let declaredCount, rows < declaredCount {
      throw source.malformedLine(
        "the file ends after \(rows) rows, and its header promises \(declaredCount); it is cut "
          + "short, or the header is wrong.")
    }
  }

  /// Appends the row in `line`; false for a blank line, which may only stand at the end.
  private func parse(
    _ line: Span<UInt8>, into batch: inout RowBatch
  ) throws(EmbeddingError) -> Bool {
    let end = line.trimmedEnd
    if end == 0 {
      blankLine = blankLine ?? source.lineNumber
      return false
    }
    if let blankLine {
      throw EmbeddingError(
        .malformedInput, "\(source.name), line \(blankLine): a blank line between rows.")
    }
    if let declaredCount, rows == declaredCount {
      throw source.malformedLine(
        "more rows than the \(declaredCount) that the header promises; correct the header.")
    }
    // A value takes a separator and a digit at least: no memory for values that cannot be there.
    guard end > 2 * dimension else { throw wrongValues(line) }
    let first = batch.vectors.count
    batch.vectors.append(contentsOf: repeatElement(0, count: dimension))
    let row = line.extracting(..<end)
    var wordEnd = 0
    while wordEnd < end, !isSeparator(row[wordEnd]) { wordEnd += 1 }
    var values = batch.vectors.mutableSpan
    if try !parseValues(row, from: wordEnd, into: &values, at: first) {
      wordEnd = try wordEndFromRight(row)
      guard try parseValues(row, from: wordEnd, into: &values, at: first) else {
        throw wrongValues(row)
      }
    }
    try ids.append(row.extracting(..<wordEnd), to: &batch.ids) { source.malformedLine($0) }
    if let vocabulary {
      batch.frequencies.append(vocabulary.frequency(of: batch.ids, at: batch.count - 1))
    }
    return true
  }

  /// Parses exactly `dimension` values that reach to the end of `row`; false if that is not what
  /// stands there.
  private func parseValues(
    _ row: Span<UInt8>, from start: Int, into values: inout MutableSpan<Float>, at first: Int
  ) throws(EmbeddingError) -> Bool {
    var position = start
    var finite = true
    let isWhole = row.withUnsafeBufferPointer { text in
      for i in first..<(first + dimension) {
        while position < text.count, isSeparator(text[position]) { position &+= 1 }
        if let value = FloatText.parseCommon(text, &position) {
          values[i] = value
        } else if let value = FloatText.parse(row, &position) {
          finite = finite && value.isFinite
          values[i] = value
        } else {
          return false
        }
      }
      return true
    }
    guard isWhole else { return false }
    guard position == row.count else { return false }
    if !finite, !allowsNonFinite {
      throw source.malformedLine(
        "a value is NaN, infinite or beyond float32; allow non-finite values to read it as it is.")
    }
    return true
  }

  /// The end of the word, with the last `dimension` fields of the row left to the values.
  private func wordEndFromRight(_ row: Span<UInt8>) throws(EmbeddingError) -> Int {
    var end = row.count
    for _ in 0..<dimension {
      guard end > 0 else { throw wrongValues(row) }
      end = row.previousEnd(before: row.fieldStart(before: end))
    }
    // Beyond its first part, a word with spaces has no numbers.
    guard end > 0, !hasNumber(row.extracting(..<end)) else { throw wrongValues(row) }
    return end
  }

  private func hasNumber(_ word: Span<UInt8>) -> Bool {
    var end = word.count
    while true {
      let start = word.fieldStart(before: end)
      guard word.previousEnd(before: start) > 0 else { return false }
      var position = start
      if FloatText.parse(word.extracting(..<end), &position)?.isFinite == true { return true }
      end = word.previousEnd(before: start)
    }
  }

  private func wrongValues(_ line: Span<UInt8>) -> EmbeddingError {
    let found = trailingNumbers(line)
    if found == dimension {
      return source.malformedLine("the line has no word before its \(dimension) values.")
    }
    // The first field that ends the run of numbers from the right, if it is not the word.
    return source.malformedLine(
      "expected a word and \(dimension) values; \(found) numbers stand at the end of the line, "
        + "which begins with \(line.extracting(..<min(line.count, 41)).excerpt()).")
  }

  private static func header(_ source: ByteSource) throws(EmbeddingError) -> TextHeader {
    let header = try source.nextLine(maximum: Limits.line) { (line) throws(EmbeddingError) in
      guard let header = TextHeader(line) else {
        throw source.malformedLine(
          "expected the header '<count> <dimension>', not \(line.excerpt()); a file without a "
            + "header is of the format glove.")
      }
      // A row has at least a byte of word, and a line end except for the last.
      if let objection = header.objection(
        size: source.contentSize.map { $0 + 1 }, valueSize: 2, rowSize: 2)
      {
        throw source.malformedLine(objection)
      }
      return header
    }
    guard let header else {
      throw EmbeddingError(.malformedInput, "\(source.name), line 1: the file is empty.")
    }
    return header
  }

  private static func firstLineDimension(
    _ source: ByteSource, _ options: ReaderOptions
  ) throws(EmbeddingError) -> Int {
    let found = try source.nextLine(maximum: Limits.line, peeking: true) { trailingNumbers($0) }
    guard let found else {
      throw EmbeddingError(.malformedInput, "\(source.name), line 1: the file is empty.")
    }
    let dimension = options.dimension ?? found
    guard (1...Limits.dimension).contains(dimension) else {
      throw EmbeddingError(
        .malformedInput, "\(source.name), line 1: expected a word and its values.")
    }
    return dimension
  }
}
