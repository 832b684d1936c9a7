import Embeddings

extension EmbeddingID {
  /// The id for a terminal: control characters are written as escapes, so that an id cannot move
  /// the cursor or break a line.
  var shown: String {
    var text = ""
    for scalar in description.unicodeScalars {
      switch scalar {
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\0"..<" ", "\u{7F}"..<"\u{A0}", "\u{2028}", "\u{2029}", "\u{202A}"..."\u{202E}",
        "\u{2066}"..."\u{2069}":
        text += "\\u{" + String(scalar.value, radix: 16, uppercase: true) + "}"
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text
  }

  /// The members of a JSON object that name the id: `id`, and for bytes that are not UTF-8 also
  /// `id_hex`, since `id` is then repaired.
  var members: [(String, JSON)] {
    switch self {
    case .int64(let value): return [("id", .integer(value))]
    case .bytes(let bytes):
      let text = String(decoding: bytes, as: UTF8.self)
      guard !text.utf8.elementsEqual(bytes) else { return [("id", .string(text))] }
      let hex = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
      return [("id", .string(text)), ("id_hex", .string(hex))]
    }
  }
}
