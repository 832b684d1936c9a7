import Glibc

/// A count with commas: `1,234,567`.
func grouped(_ value: some BinaryInteger) -> String {
  let digits = String(value.magnitude)
  var text = value < 0 ? "-" : ""
  for (i, digit) in digits.enumerated() {
    if i > 0 && (digits.count - i) % 3 == 0 { text += "," }
    text.append(digit)
  }
  return text
}

/// A count and what is counted: `1 row`, `2 rows`.
func counted(_ count: some BinaryInteger, _ noun: String) -> String {
  "\(grouped(count)) \(noun)\(count == 1 ? "" : "s")"
}

/// Bytes with a unit: `812 B`, `1.4 MiB`.
func byteText(_ bytes: some BinaryInteger) -> String {
  let units = ["KiB", "MiB", "GiB", "TiB", "PiB"]
  guard bytes >= 1024 else { return "\(bytes) B" }
  var value = Double(bytes)
  var unit = -1
  while value >= 1024 && unit + 1 < units.count {
    value /= 1024
    unit += 1
  }
  return "\(fixed(value, value < 10 ? 2 : value < 100 ? 1 : 0)) \(units[unit])"
}

/// A number of at most three or four digits: `950`, `1.2 k`, `3.4 M`.
func shortText(_ value: Double) -> String {
  guard value >= 1000 else { return fixed(value, 0) }
  let (scaled, unit) =
    value >= 1e9 ? (value / 1e9, "G") : value >= 1e6 ? (value / 1e6, "M") : (value / 1e3, "k")
  return "\(fixed(scaled, scaled < 100 ? 1 : 0)) \(unit)"
}

/// Seconds as `0:07`, `12:30` or `1:02:03`.
func clockText(_ seconds: Double) -> String {
  let total = Int(min(max(seconds, 0), 359_999).rounded())
  func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
  let (hours, minutes) = (total / 3600, total / 60 % 60)
  return hours > 0
    ? "\(hours):\(two(minutes)):\(two(total % 60))" : "\(minutes):\(two(total % 60))"
}

/// A number with a fixed number of decimals; NaN and infinity by name.
func fixed(_ value: Double, _ decimals: Int) -> String {
  guard value.isFinite else { return value.description }
  var buffer = [CChar](repeating: 0, count: 352)
  withVaList([Int32(decimals), value]) {
    _ = vsnprintf(&buffer, buffer.count, "%.*f", $0)
  }
  let end = buffer.firstIndex(of: 0) ?? buffer.count
  return String(decoding: buffer[..<end].map(UInt8.init(bitPattern:)), as: UTF8.self)
}

/// The Euclidean norm of a vector.
func norm(_ vector: some Sequence<Float>) -> Double {
  vector.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
}
