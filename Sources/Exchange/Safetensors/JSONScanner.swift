import StorageBase

/// Reads JSON from left to right and keeps nothing of it, strictly by RFC 8259: what a safetensors
/// header needs. Nesting is bounded, so that no input can exhaust the stack.
struct JSONScanner: ~Escapable {
  static let maximumDepth = 16

  private let bytes: Span<UInt8>
  private(set) var position = 0

  @_lifetime(copy bytes)
  init(_ bytes: Span<UInt8>) { self.bytes = bytes }

  /// An error in the text: what was expected, at `position`.
  struct Failure: Error { let what: String }

  /// Reads an object, calling `member` for the value of each key; `member` must read it.
  @_lifetime(self: copy self)
  mutating func object(
    _ member: (String, inout JSONScanner) throws(Failure) -> Void
  ) throws(Failure) {
    try expect("{")
    if take("}") { return }
    repeat {
      let key = try string()
      try expect(":")
      try member(key, &self)
    } while take(",")
    try expect("}")
  }

  /// Reads an array, calling `element` for each element; `element` must read it.
  @_lifetime(self: copy self)
  mutating func array(_ element: (inout JSONScanner) throws(Failure) -> Void) throws(Failure) {
    try expect("[")
    if take("]") { return }
    repeat { try element(&self) } while take(",")
    try expect("]")
  }

  /// An integer of at most Int's range, not negative.
  @_lifetime(self: copy self)
  mutating func size() throws(Failure) -> Int {
    skipSpaces()
    let start = position
    while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
    let digits = bytes.extracting(start..<position)
    let follows = position < bytes.count ? bytes[position] : 0
    guard let value = digits.decimalInteger(), digits.count == 1 || digits[0] != 0x30,
      ![UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains(follows)
    else {
      position = start
      throw Failure(what: "expected an integer that is not negative and within 64 bits")
    }
    return Int(value)
  }

  @_lifetime(self: copy self)
  mutating func string() throws(Failure) -> String {
    guard take("\"") else { throw Failure(what: "expected a string") }
    var text: [UInt8] = []
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: text, as: UTF8.self) else {
          throw Failure(what: "a string is not valid UTF-8")
        }
        return string
      case UInt8(ascii: "\\"): try escape(into: &text)
      case ..<0x20: throw Failure(what: "a string has a control character in it")
      default: text.append(byte)
      }
    }
    throw Failure(what: "a string does not end")
  }

  @_lifetime(self: copy self)
  private mutating func escape(into text: inout [UInt8]) throws(Failure) {
    guard position < bytes.count else { throw Failure(what: "a string does not end") }
    let byte = bytes[position]
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      var code = try hexDigits()
      if (0xD800..<0xDC00).contains(code), position + 1 < bytes.count,
        bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u")
      {
        position += 2
        let low = try hexDigits()
        guard (0xDC00..<0xE000).contains(low) else { throw Failure(what: "a lone surrogate") }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw Failure(what: "a lone surrogate") }
      text.append(contentsOf: Character(scalar).utf8)
    default: throw Failure(what: "an unknown escape in a string")
    }
  }

  @_lifetime(self: copy self)
  private mutating func hexDigits() throws(Failure) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard position < bytes.count,
        let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue
      else { throw Failure(what: "expected four hexadecimal digits") }
      code = code << 4 | UInt32(digit)
      position += 1
    }
    return code
  }

  /// Reads any value and forgets it.
  @_lifetime(self: copy self)
  mutating func skipValue(depth: Int = 0) throws(Failure) {
    guard depth < Self.maximumDepth else {
      throw Failure(what: "values are nested more than \(Self.maximumDepth) deep")
    }
    switch peek() {
    case UInt8(ascii: "{"):
      try object { (_, scanner) throws(Failure) in try scanner.skipValue(depth: depth + 1) }
    case UInt8(ascii: "["):
      try array { (scanner) throws(Failure) in try scanner.skipValue(depth: depth + 1) }
    case UInt8(ascii: "\""): _ = try string()
    case UInt8(ascii: "t"): try literal("true")
    case UInt8(ascii: "f"): try literal("false")
    case UInt8(ascii: "n"): try literal("null")
    default: try skipNumber()
    }
  }

  @_lifetime(self: copy self)
  private mutating func skipNumber() throws(Failure) {
    skipSpaces()
    skip { $0 == UInt8(ascii: "-") }
    let leadingZero = position < bytes.count && bytes[position] == UInt8(ascii: "0")
    let digits = skipDigits()
    guard digits > 0, !leadingZero || digits == 1 else { throw Failure(what: "expected a value") }
    if skip({ $0 == UInt8(ascii: ".") }), skipDigits() == 0 {
      throw Failure(what: "expected decimals")
    }
    if skip({ $0 | 0x20 == UInt8(ascii: "e") }) {
      skip { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "-") }
      if skipDigits() == 0 { throw Failure(what: "expected an exponent") }
    }
  }

  /// Passes over the next byte if it matches.
  @_lifetime(self: copy self)
  @discardableResult
  private mutating func skip(_ matches: (UInt8) -> Bool) -> Bool {
    guard position < bytes.count, matches(bytes[position]) else { return false }
    position += 1
    return true
  }

  @_lifetime(self: copy self)
  private mutating func skipDigits() -> Int {
    let start = position
    while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
    return position - start
  }

  @_lifetime(self: copy self)
  private mutating func literal(_ word: String) throws(Failure) {
    guard bytes.extracting(position...).starts(with: Array(word.utf8)) else {
      throw Failure(what: "expected a value")
    }
    position += word.utf8.count
  }

  /// Makes sure that only spaces follow.
  @_lifetime(self: copy self)
  mutating func end() throws(Failure) {
    guard peek() == nil else { throw Failure(what: "bytes after the end of the JSON") }
  }

  @_lifetime(self: copy self)
  private mutating func expect(_ character: Unicode.Scalar) throws(Failure) {
    guard take(character) else { throw Failure(what: "expected '\(character)'") }
  }

  /// Passes over `character` if it comes next.
  @_lifetime(self: copy self)
  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard peek() == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  @_lifetime(self: copy self)
  private mutating func peek() -> UInt8? {
    skipSpaces()
    return position < bytes.count ? bytes[position] : nil
  }

  @_lifetime(self: copy self)
  private mutating func skipSpaces() {
    while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) {
      position += 1
    }
  }
}
