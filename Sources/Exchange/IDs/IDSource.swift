import StorageBase

/// The ids of a matrix's rows, one after the other.
protocol IDSource: AnyObject {
  var type: IDType { get }
  func appendNext(to ids: inout IDColumn) throws(EmbeddingError)
  /// Makes sure that no id is left after `rows` rows.
  func checkEnd(rows: Int) throws(EmbeddingError)
}

/// The row numbers from 0, where a matrix has no ids.
final class RowNumbers: IDSource {
  let type = IDType.int64
  private var next: Int64 = 0

  func appendNext(to ids: inout IDColumn) throws(EmbeddingError) {
    ids.append(next)
    next += 1
  }

  func checkEnd(rows: Int) throws(EmbeddingError) {}
}

/// A raw column of little-endian integers, to the end of its source.
final class IntegerIDs: IDSource {
  let type = IDType.int64
  private let source: ByteSource
  private let elements: ElementType

  init(_ source: ByteSource, elements: ElementType) {
    self.source = source
    self.elements = elements
  }

  func appendNext(to ids: inout IDColumn) throws(EmbeddingError) {
    let start = source.offset
    let id = try source.next(elements.size) { (bytes) throws(EmbeddingError) -> Int64 in
      guard let id = elements.integer(bytes.bytes, at: 0) else {
        throw source.malformed(at: start, "the id is beyond the range of Int64.")
      }
      return id
    }
    guard let id else {
      throw source.malformed("the ids end here, before the rows do: one id a row is needed.")
    }
    ids.append(id)
  }

  func checkEnd(rows: Int) throws(EmbeddingError) {
    guard try source.fill(1) == 0 else {
      throw source.malformed("more ids than the \(rows) rows of the matrix.")
    }
  }
}

/// A text file with one id a line.
final class LineIDs: IDSource {
  let type: IDType
  private let source: ByteSource
  private let parser: IDParser

  init(_ source: ByteSource, options: ReaderOptions) {
    self.source = source
    type = options.idType ?? .bytes
    parser = IDParser(type: type, requiresUTF8: options.requiresUTF8)
  }

  func appendNext(to ids: inout IDColumn) throws(EmbeddingError) {
    let found: Void? = try source.nextLine(maximum: Limits.line) { (line) throws(EmbeddingError) in
      try parser.append(line, to: &ids) { source.malformedLine($0) }
    }
    guard found != nil else {
      throw source.malformedLine("the ids end here, before the rows do: one id a row is needed.")
    }
  }

  func checkEnd(rows: Int) throws(EmbeddingError) {
    guard try source.fill(1) == 0 else {
      throw EmbeddingError(
        .malformedInput,
        "\(source.name), line \(source.lineNumber + 1): more ids than the \(rows) rows of the "
          + "matrix."
      )
    }
  }
}

/// Byte-string ids in Arrow's layout: a column of `n + 1` rising offsets, and the bytes.
final class ArrowIDs: IDSource {
  let type = IDType.bytes
  private let offsets: ByteSource
  private let bytes: ByteSource
  private let elements: ElementType
  private let parser: IDParser
  private let byteCount: Int
  private var position = 0

  /// - Parameter byteCount: the length of the column of bytes.
  init(
    offsets: ByteSource, elements: ElementType, bytes: ByteSource, byteCount: Int,
    options: ReaderOptions
  ) throws(EmbeddingError) {
    self.offsets = offsets
    self.elements = elements
    self.bytes = bytes
    self.byteCount = byteCount
    parser = IDParser(type: .bytes, requiresUTF8: options.requiresUTF8)
    let start = offsets.offset
    guard try nextOffset() == 0 else {
      throw offsets.malformed(at: start, "the first id offset is not 0.")
    }
  }

  func appendNext(to ids: inout IDColumn) throws(EmbeddingError) {
    let start = offsets.offset
    let end = try nextOffset()
    guard end > position, end <= byteCount else {
      throw offsets.malformed(
        at: start,
        "the id offset \(end) does not follow \(position) within the \(byteCount) bytes of ids; "
          + "offsets rise, and no id is empty.")
    }
    let read: Void? = try bytes.next(end - position) { (id) throws(EmbeddingError) in
      try parser.append(id, to: &ids) { bytes.malformed($0) }
    }
    guard read != nil else { throw bytes.malformed("the bytes of the ids end here.") }
    position = end
  }

  func checkEnd(rows: Int) throws(EmbeddingError) {
    guard position == byteCount else {
      throw bytes.malformed("\(byteCount - position) bytes of ids belong to no row.")
    }
  }

  private func nextOffset() throws(EmbeddingError) -> Int {
    let value = try offsets.next(elements.size) { elements.integer($0.bytes, at: 0) }
    guard let value, let value else { throw offsets.malformed("an id offset cannot be read.") }
    return Int(value)
  }
}

/// Opens a file of ids: a one-dimensional npy of integers, or text with one id a line.
func openIDs(
  path: String, rows: Int, options: ReaderOptions
) throws(EmbeddingError) -> any IDSource {
  let source = try ByteSource(path: path)
  let isNpy = try source.peek(NpyHeader.magic.count) { $0.starts(with: NpyHeader.magic) }
  guard isNpy else { return LineIDs(source, options: options) }
  let header = try NpyHeader(source)
  guard !header.elements.isFloat else {
    throw source.malformed(at: 0, "the ids are floats; save them as integers: ids.astype('<i8')")
  }
  guard header.shape == [rows] else {
    throw source.malformed(
      at: 0, "the ids have shape \(header.shape), and the matrix has \(rows) rows.")
  }
  try header.checkSize(source)
  return IntegerIDs(source, elements: header.elements)
}
