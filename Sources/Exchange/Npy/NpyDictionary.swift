import StorageBase

/// What the dictionary of an npy header says.
struct NpyDictionary {
  var descr: String
  var fortranOrder: Bool
  var shape: [Int]
}

/// Parses the one kind of Python literal that numpy writes, and nothing else of Python.
struct NpyDictionaryParser: ~Escapable {
  private let bytes: Span<UInt8>
  private let source: ByteSource
  private let start: Int
  private var position = 0

  /// - Parameter start: the offset of the dictionary in the file, for messages.
  @_lifetime(copy bytes)
  init(_ bytes: Span<UInt8>, source: ByteSource, start: Int) {
    self.bytes = bytes
    self.source = source
    self.start = start
  }

  @_lifetime(self: copy self)
  mutating func parse() throws(EmbeddingError) -> NpyDictionary {
    var descr: String?
    var fortranOrder: Bool?
    var shape: [Int]?
    try expect("{")
    while peek() != UInt8(ascii: "}") {
      let key = try string()
      try expect(":")
      switch key {
      case "descr" where descr == nil: descr = try description()
      case "fortran_order" where fortranOrder == nil: fortranOrder = try boolean()
      case "shape" where shape == nil: shape = try tuple()
      default: throw malformed("the key '\(key)' is unknown or stands twice")
      }
      if peek() == UInt8(ascii: ",") { position += 1 } else { break }
    }
    try expect("}")
    while position < bytes.count {
      guard isSpace(bytes[position]) else { throw malformed("bytes after the dictionary") }
      position += 1
    }
    guard let descr, let fortranOrder, let shape else {
      throw malformed("one of the keys descr, fortran_order and shape is missing")
    }
    return NpyDictionary(descr: descr, fortranOrder: fortranOrder, shape: shape)
  }

  /// A dtype: a string, where a structured one is a list.
  @_lifetime(self: copy self)
  private mutating func description() throws(EmbeddingError) -> String {
    guard peek() != UInt8(ascii: "[") else {
      throw EmbeddingError(
        .unsupportedFormat,
        "\(source.name) is a structured array; save one field: numpy.save(path, array['name'])")
    }
    return try string()
  }

  @_lifetime(self: copy self)
  private mutating func boolean() throws(EmbeddingError) -> Bool {
    skipSpaces()
    let rest = bytes.extracting(position...)
    if rest.starts(with: Array("True".utf8)) {
      position += 4
      return true
    }
    if rest.starts(with: Array("False".utf8)) {
      position += 5
      return false
    }
    throw malformed("fortran_order is neither True nor False")
  }

  /// A tuple of at most 32 sizes, numpy's own limit.
  @_lifetime(self: copy self)
  private mutating func tuple() throws(EmbeddingError) -> [Int] {
    var sizes: [Int] = []
    try expect("(")
    while let next = peek(), next != UInt8(ascii: ")") {
      let first = position
      if next == UInt8(ascii: "-") { position += 1 }
      while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
      guard let size = bytes.extracting(first..<position).decimalInteger(), size >= 0,
        sizes.count < 32
      else { throw malformed("the shape has a size that is negative, too large or no number") }
      // Python 2 wrote its long integers with an L.
      if position < bytes.count, bytes[position] == UInt8(ascii: "L") { position += 1 }
      sizes.append(Int(size))
      if peek() == UInt8(ascii: ",") { position += 1 } else { break }
    }
    try expect(")")
    return sizes
  }

  @_lifetime(self: copy self)
  private mutating func string() throws(EmbeddingError) -> String {
    guard let quote = peek(), quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") else {
      throw malformed("expected a string")
    }
    let first = position + 1
    guard let end = bytes.firstIndex(of: quote, from: first), end - first <= 64 else {
      throw malformed("a string does not end")
    }
    position = end + 1
    return String(decoding: (first..<end).map { bytes[$0] }, as: UTF8.self)
  }

  @_lifetime(self: copy self)
  private mutating func expect(_ character: Unicode.Scalar) throws(EmbeddingError) {
    guard peek() == UInt8(ascii: character) else { throw malformed("expected '\(character)'") }
    position += 1
  }

  /// The next byte that is no space, if there is one; `position` moves to it.
  @_lifetime(self: copy self)
  private mutating func peek() -> UInt8? {
    skipSpaces()
    return position < bytes.count ? bytes[position] : nil
  }

  @_lifetime(self: copy self)
  private mutating func skipSpaces() {
    while position < bytes.count, isSpace(bytes[position]) { position += 1 }
  }

  private func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x09 }

  private func malformed(_ what: String) -> EmbeddingError {
    source.malformed(at: start + position, "the npy header cannot be read: \(what).")
  }
}
