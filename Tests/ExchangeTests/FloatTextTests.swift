import Foundation
import StorageBase
import TestSupport
import Testing

@testable import Exchange

@Suite struct FloatTextTests {
  private func parse(_ text: String) -> Float? {
    let bytes = Array(text.utf8)
    var position = 0
    guard let value = FloatText.parse(bytes.span, &position), position == bytes.count else {
      return nil
    }
    return value
  }

  @Test func everyFloatRoundTripsInItsShortestForm() {
    var state: UInt64 = 1
    for _ in 0..<300_000 {
      state &+= golden
      let value = Float(bitPattern: UInt32(truncatingIfNeeded: mix64(state)))
      guard value.isFinite else { continue }
      var text: [UInt8] = []
      FloatText.append(value, to: &text)
      var position = 0
      let parsed = FloatText.parse(text.span, &position)
      guard parsed?.bitPattern == value.bitPattern else {
        Issue.record("\(value) came back as \(String(describing: parsed))")
        return
      }
    }
  }

  /// Decimals of all lengths and exponents, many of them next to the midpoint of two float32s.
  @Test func aMillionDecimalsParseAsStrtofDoes() {
    var state: UInt64 = 42
    func next() -> UInt64 {
      state &+= golden
      return mix64(state)
    }
    for i in 0..<1_000_000 {
      let a = next()
      var text: String
      switch i % 8 {
      case 0: text = "\(Double(bitPattern: next()))"
      case 1: text = "\(a)e\(Int(next() % 140) - 70)"
      case 2: text = "\(a % 1_000_000).\(next() % 100_000_000)"
      case 3: text = "-0.\(a % 10_000_000)"
      case 4, 5:
        // The exact midpoint of two neighbouring float32s, and one digit beyond it.
        let low = Float(bitPattern: UInt32(truncatingIfNeeded: a) & 0x7EFF_FFFF)
        let middle = (Double(low) + Double(low.nextUp)) / 2
        text = "\(middle)"
        if i % 8 == 5, !text.contains("e") { text += "0000000000000000000001" }
      case 6: text = "\(Float(bitPattern: UInt32(truncatingIfNeeded: a)))"
      default: text = "0.\(String(repeating: "0", count: Int(a % 50)))\(next())\(next())"
      }
      // Swift spells the payload of a NaN out, which is no number in any file.
      if text.contains("nan") { text = "nan" }
      let expected = strtof(text, nil)
      guard let parsed = parse(text) else {
        Issue.record("\(text) was refused")
        return
      }
      let same = parsed.bitPattern == expected.bitPattern || (parsed.isNaN && expected.isNaN)
      guard same else {
        Issue.record("\(text) gave \(parsed), and strtof \(expected)")
        return
      }
    }
  }

  /// The path for what files are made of: few digits, a point, no exponent; many decimals lie next to
  /// the midpoint of two float32s.
  @Test func commonDecimalsParseAsStrtofDoes() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    var taken = 0
    var text: [UInt8] = []
    for i in 0..<300_000 {
      let value = Float(bitPattern: UInt32.random(in: 0x3380_0000...0x4F00_0000, using: &random))
      text.removeAll(keepingCapacity: true)
      if i % 3 == 0 { text.append(UInt8(ascii: "-")) }
      switch i % 4 {
      case 0: text += value.description.utf8
      case 1: text += ((Double(value) + Double(value.nextUp)) / 2).description.utf8
      default:
        let digits = String(UInt64.random(in: 0..<10_000_000_000_000_000_000, using: &random)).utf8
        text += digits.prefix(Int.random(in: 1...9, using: &random))
        text.append(UInt8(ascii: "."))
        text += digits.suffix(Int.random(in: 0...12, using: &random))
      }
      let length = text.count
      text += i % 5 == 0 ? [] : i % 5 == 1 ? [0x09, 0x37] : [0x20, 0x39, 0x39]
      var position = 0
      let common = text.withUnsafeBufferPointer { FloatText.parseCommon($0, &position) }
      guard let common else {
        #expect(position == 0)
        continue
      }
      taken += 1
      let expected = strtof(String(decoding: text.prefix(length), as: UTF8.self), nil)
      guard common.bitPattern == expected.bitPattern, position == length else {
        Issue.record(
          "seed \(seed): \(String(decoding: text, as: UTF8.self)) gave \(common), not \(expected)")
        return
      }
    }
    // The others have an exponent or many digits.
    #expect(taken > 150_000, "seed \(seed)")
  }

  @Test(arguments: [
    "", "-", "1", "+1.5", "1.5e3", "1.5x", ".5", "-.5", "1234567890.5", "1.2.3",
    "0.1234567890123456789",
    "1.12345678x", "nan", "1.1234567:", "1.1234567/", "16777217.0",
  ])
  func whatIsNotCommonIsLeftToTheGeneralPath(text: String) {
    var position = 0
    let bytes = Array(text.utf8)
    #expect(
      bytes.isEmpty || bytes.withUnsafeBufferPointer { FloatText.parseCommon($0, &position) } == nil
    )
    #expect(position == 0)
  }

  @Test func commonNumbersMayEndTheText() {
    for (text, value) in [("1.", 1), ("-0.0", -0.0), ("0.5", 0.5), ("12.12345678", 12.12345678)] {
      var position = 0
      let bytes = Array(text.utf8)
      let parsed = bytes.withUnsafeBufferPointer { FloatText.parseCommon($0, &position) }
      #expect(parsed?.bitPattern == Float(value).bitPattern)
      #expect(position == bytes.count)
    }
  }

  @Test(arguments: [
    "0", "-0", "+1", "1.", ".5", "-.5e-3", "1e10", "1E+10", "1e-45", "7e-46", "1e400", "1e-400",
    "16777217", "16777217.000000000000000000000001", "3.4028235677973366e38", "1e99999999999999",
    "00000000000000000000000000000000001", "0.1e-0000000000000000001",
    "1.4012984643e-45",
    "0.000000000000000000000000000000000000011754943508222875079687365372222456",
  ])
  func edgesOfTheRangeParseAsStrtofDoes(text: String) {
    #expect(parse(text)?.bitPattern == strtof(text, nil).bitPattern)
  }

  @Test(arguments: [
    "", "+", "-", ".", "e5", "1e", "1e+", "1_000", "0x10", "1.2.3", "--1", "1f", "infinite", "nano",
    "nan(1)", "1,5", "+-1", "1e5.0",
  ])
  func whatIsNoDecimalIsRefused(text: String) { #expect(parse(text) == nil) }

  @Test func nonFiniteWordsAreUnderstoodInAnyCase() {
    #expect(parse("NaN")?.isNaN == true)
    #expect(parse("-Infinity") == -.infinity)
    #expect(parse("+inf") == .infinity)
  }

  @Test func nanOfAnyPayloadIsWrittenSoThatOthersReadIt() {
    var text: [UInt8] = []
    FloatText.append(Float(bitPattern: 0xFFA1_2345), to: &text)
    #expect(text == Array("nan".utf8))
  }

  @Test func numbersOfAbsurdLengthAreRefused() {
    #expect(parse(String(repeating: "1", count: 1024)) == .infinity)
    #expect(parse(String(repeating: "1", count: 1025)) == nil)
  }

  @Test func everyHalfWidensExactly() {
    for bits in UInt16.min...UInt16.max {
      let half = Float16(bitPattern: bits)
      let widened = Exchange.widened(half: bits)
      #expect(half.isNaN ? widened.isNaN : widened.bitPattern == Float(half).bitPattern)
    }
  }
}
