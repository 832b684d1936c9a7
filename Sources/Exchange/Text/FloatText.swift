/// Decimal text to the nearest float32, and back.
enum FloatText {
  /// The most bytes of one number; longer ones are refused.
  static let maximumLength = 1024

  /// 10^0 to 10^60, each within one unit in the last place.
  static let powers: [Double] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22, 1e23, 1e24, 1e25, 1e26, 1e27, 1e28, 1e29, 1e30, 1e31, 1e32,
    1e33, 1e34, 1e35, 1e36, 1e37, 1e38, 1e39, 1e40, 1e41, 1e42, 1e43, 1e44, 1e45, 1e46, 1e47, 1e48,
    1e49, 1e50, 1e51, 1e52, 1e53, 1e54, 1e55, 1e56, 1e57, 1e58, 1e59, 1e60,
  ]

  /// Parses the field of `text` that starts at `position`, and moves `position` to its end; nil,
  /// with `position` anywhere, if the field is not a number.
  ///
  /// The result is the float32 nearest to the decimal, ties to even, as `strtof` gives it. Up to 19
  /// digits go into an integer, which is scaled in double precision: four roundings at most, so
  /// that the double lies within 4 units of the true value. Rounding it to single precision can
  /// then only go wrong within 4 units of the midpoint of two float32s, and there, as among the
  /// subnormals, the exact and slow conversion decides.
  @inline(__always)
  static func parse(_ text: Span<UInt8>, _ position: inout Int) -> Float? {
    let start = position
    let count = text.count
    var i = start
    guard i < count else { return nil }
    let negative = text[i] == UInt8(ascii: "-")
    if negative || text[i] == UInt8(ascii: "+") { i += 1 }

    var mantissa: UInt64 = 0
    var significant = 0
    var exponent = 0
    let firstDigit = i
    while i < count, case let digit = text[i] &- 0x30, digit < 10 {
      if significant < 19 {
        mantissa = mantissa &* 10 &+ UInt64(digit)
        if mantissa != 0 { significant &+= 1 }
      } else {
        exponent &+= 1
      }
      i &+= 1
    }
    var digits = i - firstDigit
    if i < count, text[i] == UInt8(ascii: ".") {
      i &+= 1
      let firstDecimal = i
      while i < count, case let digit = text[i] &- 0x30, digit < 10 {
        if significant < 19 {
          mantissa = mantissa &* 10 &+ UInt64(digit)
          if mantissa != 0 { significant &+= 1 }
          exponent &-= 1
        }
        i &+= 1
      }
      digits += i - firstDecimal
    }
    guard digits > 0 else { return special(text, start, &position) }
    if i < count, text[i] | 0x20 == UInt8(ascii: "e") {
      guard let written = parseExponent(text, &i) else { return nil }
      exponent += written
    }
    position = i
    guard i == count || isSeparator(text[i]), i - start <= maximumLength else { return nil }
    if mantissa == 0 { return negative ? -0.0 : 0.0 }

    if exponent >= -60, exponent <= 60 {
      let scaled =
        exponent < 0
        ? Double(mantissa) / powers[-exponent] : Double(mantissa) * powers[exponent]
      if let value = rounded(scaled, negative: negative) { return value }
    }
    return exact(text, start..<i)
  }

  /// Parses `e`, an optional sign and digits; nil if there is no digit. Saturates at +-100,000.
  private static func parseExponent(_ text: Span<UInt8>, _ i: inout Int) -> Int? {
    i += 1
    var negative = false
    if i < text.count, text[i] == UInt8(ascii: "-") || text[i] == UInt8(ascii: "+") {
      negative = text[i] == UInt8(ascii: "-")
      i += 1
    }
    let start = i
    var value = 0
    while i < text.count, case let digit = text[i] &- 0x30, digit < 10 {
      value = min(value * 10 + Int(digit), 100_000)
      i += 1
    }
    return i == start ? nil : (negative ? -value : value)
  }

  /// The standard library's conversion, correctly rounded and independent of the locale, on a copy.
  @inline(never)
  private static func exact(_ text: Span<UInt8>, _ range: Range<Int>) -> Float? {
    Float(String(decoding: range.map { text[$0] }, as: UTF8.self))
  }

  /// `nan`, `inf` and `infinity` in any case, with an optional sign.
  @inline(never)
  private static func special(_ text: Span<UInt8>, _ start: Int, _ position: inout Int) -> Float? {
    var end = start
    while end < text.count, !isSeparator(text[end]) { end += 1 }
    guard end - start <= 9 else { return nil }
    position = end
    var word = (start..<end).map { text[$0] | 0x20 }
    let negative = text[start] == UInt8(ascii: "-")
    if negative || text[start] == UInt8(ascii: "+") { word.removeFirst() }
    switch String(decoding: word, as: UTF8.self) {
    case "nan": return .nan
    case "inf", "infinity": return negative ? -.infinity : .infinity
    default: return nil
    }
  }

  /// Appends the shortest decimal that parses back to the same float32; for a NaN of any payload,
  /// which Swift would spell out and other readers not understand, `nan`.
  static func append(_ value: Float, to output: inout [UInt8]) {
    var text = value.isNaN ? "nan" : value.description
    text.withUTF8 { output.append(contentsOf: $0) }
  }
}
