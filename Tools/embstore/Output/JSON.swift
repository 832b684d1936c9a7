/// A JSON value, for `--json`.
///
/// Objects keep the order of their members. Numbers that JSON does not have (NaN, infinity) are
/// written as `null`.
enum JSON: Sendable {
  case object([(String, JSON)])
  case array([JSON])
  case string(String)
  case integer(Int64)
  case unsigned(UInt64)
  case double(Double)
  case float(Float)
  case bool(Bool)
  case null

  static func integer(_ value: Int) -> JSON { .integer(Int64(value)) }

  static func vector(_ floats: some Sequence<Float>) -> JSON { .array(floats.map(JSON.float)) }

  static func optional<T>(_ value: T?, _ make: (T) -> JSON) -> JSON { value.map(make) ?? .null }
}

extension JSON: CustomStringConvertible {
  /// The value on one line.
  var description: String {
    var text = ""
    write(to: &text, indent: nil)
    return text
  }

  /// The value on several lines; arrays of numbers stay on one.
  var pretty: String {
    var text = ""
    write(to: &text, indent: 0)
    return text
  }

  private var isScalar: Bool {
    switch self {
    case .object, .array: false
    default: true
    }
  }

  private func write(to text: inout String, indent: Int?) {
    switch self {
    case .object(let members):
      write(members, "{", "}", to: &text, indent: indent) { member, text, indent in
        Self.quote(member.0, to: &text)
        text += indent == nil ? ":" : ": "
        member.1.write(to: &text, indent: indent)
      }
    case .array(let values):
      let inner = values.allSatisfy(\.isScalar) ? nil : indent
      write(values, "[", "]", to: &text, indent: inner) { value, text, indent in
        value.write(to: &text, indent: indent)
      }
    case .string(let value): Self.quote(value, to: &text)
    case .integer(let value): text += String(value)
    case .unsigned(let value): text += String(value)
    case .double(let value): text += value.isFinite ? value.description : "null"
    case .float(let value): text += value.isFinite ? value.description : "null"
    case .bool(let value): text += value ? "true" : "false"
    case .null: text += "null"
    }
  }

  private func write<T>(
    _ values: [T], _ opening: String, _ closing: String, to text: inout String, indent: Int?,
    _ element: (T, inout String, Int?) -> Void
  ) {
    func newLine(_ depth: Int) { text += "\n" + String(repeating: " ", count: 2 * depth) }
    text += opening
    for (i, value) in values.enumerated() {
      if i > 0 { text += "," }
      if let indent { newLine(indent + 1) }
      element(value, &text, indent.map { $0 + 1 })
    }
    if let indent, !values.isEmpty { newLine(indent) }
    text += closing
  }

  private static func quote(_ value: String, to text: inout String) {
    text += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\0"..<" ", "\u{7F}"..<"\u{A0}", "\u{2028}", "\u{2029}":
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
