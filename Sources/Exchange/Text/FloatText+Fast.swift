extension FloatText {
  /// Parses what nearly all numbers of a file look like: an optional minus, digits, a point, digits,
  /// 19 digits at most in all, and then a separator or the end. Moves `position` to the end of the
  /// number; nil, with `position` where it was, for anything else and for the few decimals that lie
  /// so close to the middle of two float32s that ``parse(_:_:)`` must decide.
  ///
  /// The same arithmetic as there, on eight digits at a time.
  @inline(__always)
  static func parseCommon(
    _ text: UnsafeBufferPointer<UInt8>, _ position: inout Int
  ) -> Float? {
    // Unsafe: every index below is compared with `count` first.
    let bytes = text.baseAddress.unsafelyUnwrapped
    let count = text.count
    var i = position
    guard i < count else { return nil }
    let negative = bytes[i] == UInt8(ascii: "-")
    if negative { i &+= 1 }

    var mantissa: UInt64 = 0
    let firstDigit = i
    while i < count, case let digit = bytes[i] &- 0x30, digit < 10 {
      mantissa = mantissa &* 10 &+ UInt64(digit)
      i &+= 1
    }
    let digits = i &- firstDigit
    guard digits > 0, digits < 10, i < count, bytes[i] == UInt8(ascii: ".") else { return nil }
    i &+= 1
    let firstDecimal = i
    if count &- i >= 8, let eight = eightDigits(UnsafeRawPointer(bytes + i)) {
      mantissa = mantissa &* 100_000_000 &+ eight
      i &+= 8
    }
    // Beyond 19 digits the product wraps around, and is thrown away below.
    while i < count, case let digit = bytes[i] &- 0x30, digit < 10 {
      mantissa = mantissa &* 10 &+ UInt64(digit)
      i &+= 1
    }
    let decimals = i &- firstDecimal
    guard digits &+ decimals <= 19, i == count || isSeparator(bytes[i]) else { return nil }
    guard mantissa != 0 else {
      position = i
      return negative ? -0.0 : 0.0
    }
    let scaled = Double(mantissa) / powers[decimals]
    guard let value = rounded(scaled, negative: negative) else { return nil }
    position = i
    return value
  }

  /// The value of eight decimal digits, or nil if there are other bytes among them.
  @inline(__always)
  private static func eightDigits(_ bytes: UnsafeRawPointer) -> UInt64? {
    // The first digit is the lowest byte.
    let word = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    let digits = word &- 0x3030_3030_3030_3030
    // A byte below '0' borrows, one above '9' carries, into its highest bit.
    guard ((word &+ 0x4646_4646_4646_4646) | digits) & 0x8080_8080_8080_8080 == 0 else {
      return nil
    }
    // Neighbours are joined: to four numbers of two digits, then to two, then to one.
    let pairs = digits &* 10 &+ (digits >> 8)
    let even = (pairs & 0x0000_00FF_0000_00FF) &* (100 &+ (1_000_000 << 32))
    let odd = ((pairs >> 16) & 0x0000_00FF_0000_00FF) &* (1 &+ (10_000 << 32))
    return (even &+ odd) >> 32
  }

  /// The float32 nearest to the decimal that `scaled` stands for within 4 units, or nil where that is
  /// not certain.
  @inline(__always)
  static func rounded(_ scaled: Double, negative: Bool) -> Float? {
    // The 29 bits that single precision drops, and their distance from one half.
    let dropped = Int(scaled.bitPattern & 0x1FFF_FFFF)
    guard scaled >= 0x1p-126, abs(dropped &- 0x1000_0000) > 4 else { return nil }
    return Float(negative ? -scaled : scaled)
  }
}
