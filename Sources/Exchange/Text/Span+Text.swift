/// Whether `byte` stands between the fields of a line.
@inline(__always)
func isSeparator(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

extension Span<UInt8> {
  func starts(with prefix: [UInt8]) -> Bool {
    count >= prefix.count && prefix.indices.allSatisfy { self[$0] == prefix[$0] }
  }

  func firstIndex(of byte: UInt8, from start: Int) -> Int? {
    var i = start
    while i < count {
      if self[i] == byte { return i }
      i += 1
    }
    return nil
  }

  func countBytes(where matches: (UInt8) -> Bool) -> Int {
    var result = 0
    for i in indices where matches(self[i]) { result += 1 }
    return result
  }

  /// The line from `start` on without its end, where the next one starts, and whether its end is
  /// here.
  func line(from start: Int) -> (range: Range<Int>, next: Int, isComplete: Bool) {
    let newline = firstIndex(of: 0x0A, from: start)
    var end = newline ?? count
    if end > start, self[end - 1] == 0x0D { end -= 1 }
    return (start..<end, newline.map { $0 + 1 } ?? count, newline != nil)
  }

  /// The end of the span without trailing separators.
  var trimmedEnd: Int {
    var end = count
    while end > 0, isSeparator(self[end - 1]) { end -= 1 }
    return end
  }

  /// The start of the field that ends at `end`.
  func fieldStart(before end: Int) -> Int {
    var start = end
    while start > 0, !isSeparator(self[start - 1]) { start -= 1 }
    return start
  }

  /// The end of the bytes before `start`, without the separators between.
  func previousEnd(before start: Int) -> Int {
    var end = start
    while end > 0, isSeparator(self[end - 1]) { end -= 1 }
    return end
  }

  /// The bytes as text for an error message, shortened.
  func excerpt() -> String {
    let text = String(decoding: (0..<Swift.min(count, 40)).map { self[$0] }, as: UTF8.self)
    return count > 40 ? "'\(text)...'" : "'\(text)'"
  }

  /// The bytes as a decimal Int64; nil if they are anything else, or out of range.
  func decimalInteger() -> Int64? {
    guard count > 0 else { return nil }
    let negative = self[0] == UInt8(ascii: "-")
    var i = negative || self[0] == UInt8(ascii: "+") ? 1 : 0
    guard i < count else { return nil }
    var value: Int64 = 0
    while i < count {
      let digit = Int64(self[i]) - 0x30
      guard (0...9).contains(digit) else { return nil }
      let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
      let (next, carry) = tens.addingReportingOverflow(negative ? -digit : digit)
      guard !overflow, !carry else { return nil }
      value = next
      i += 1
    }
    return value
  }
}

/// The number of fields at the end of `line` that are numbers, its first field left out.
func trailingNumbers(_ line: Span<UInt8>) -> Int {
  var numbers = 0
  var end = line.trimmedEnd
  while end > 0 {
    let start = line.fieldStart(before: end)
    var position = start
    guard line.previousEnd(before: start) > 0,
      FloatText.parse(line.extracting(..<end), &position) != nil
    else { break }
    numbers += 1
    end = line.previousEnd(before: start)
  }
  return numbers
}

/// The header of word2vec's formats: two integers on a line of their own.
struct TextHeader: Equatable {
  let count: Int
  let dimension: Int

  /// The header in `line`; nil if the line is anything but two integers, neither negative.
  init?(_ line: Span<UInt8>) {
    let end = line.trimmedEnd
    let second = line.fieldStart(before: end)
    let firstEnd = line.previousEnd(before: second)
    guard firstEnd > 0,
      let count = line.extracting(..<firstEnd).decimalInteger(), count >= 0,
      let dimension = line.extracting(second..<end).decimalInteger(), dimension >= 0
    else { return nil }
    self.count = Int(count)
    self.dimension = Int(dimension)
  }

  /// Why the header cannot be that of a file of `size` bytes with at least `rowSize` bytes a row
  /// and `valueSize` a value; nil if it can.
  func objection(size: Int?, valueSize: Int, rowSize: Int) -> String? {
    guard (1...Limits.dimension).contains(dimension) else {
      return "the header gives dimension \(dimension); it must be within 1...\(Limits.dimension)."
    }
    guard let size else { return nil }
    let (needed, overflow) = count.multipliedReportingOverflow(by: dimension * valueSize + rowSize)
    guard !overflow, needed <= size else {
      return "the header promises \(count) rows of \(dimension) floats, and the file has only "
        + "\(size) bytes; it is cut short, or the header is wrong."
    }
    return nil
  }
}
