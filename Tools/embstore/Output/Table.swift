/// Rows of text in aligned columns.
struct TextTable {
  /// How a column's cells stand within its width.
  enum Alignment {
    case left, right
  }

  private let columns: [(title: String, alignment: Alignment)]
  private var rows: [[String]] = []
  private var widths: [Int]

  init(_ columns: [(String, Alignment)]) {
    self.columns = columns
    widths = columns.map { displayWidth($0.0) }
  }

  /// Adds a row; cells beyond the columns are dropped.
  mutating func add(_ cells: [String]) {
    for (i, cell) in cells.prefix(columns.count).enumerated() {
      widths[i] = max(widths[i], displayWidth(cell))
    }
    rows.append(cells)
  }

  /// The lines of the rows added since the last call; with the titles, if `titled`.
  ///
  /// Widths never shrink, so that a long table can be written piece by piece.
  mutating func takeLines(titled: Bool) -> [String] {
    defer { rows.removeAll(keepingCapacity: true) }
    return ((titled ? [columns.map(\.title)] : []) + rows).map(line)
  }

  private func line(_ cells: [String]) -> String {
    var text = ""
    for (i, cell) in cells.prefix(columns.count).enumerated() {
      let padding = String(repeating: " ", count: max(0, widths[i] - displayWidth(cell)))
      if i > 0 { text += "  " }
      text += columns[i].alignment == .right ? padding + cell : cell + padding
    }
    while text.last == " " { text.removeLast() }
    return text
  }
}

/// The columns that `text` takes on a terminal: two for the wide characters of East Asia and for
/// emoji, none for combining marks.
func displayWidth(_ text: String) -> Int {
  var width = 0
  for scalar in text.unicodeScalars {
    if scalar.isASCII {
      width += 1
      continue
    }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format: continue
    default: break
    }
    switch scalar.value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF,
      0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF,
      0x20000...0x3FFFD:
      width += 2
    default: width += 1
    }
  }
  return width
}

/// Bars of text, one for each label.
func bars(_ entries: [(label: String, count: Int)], width: Int = 40) -> [String] {
  let largest = entries.map(\.count).max() ?? 0
  guard largest > 0 else { return [] }
  var table = TextTable([("", .right), ("", .left), ("", .right)])
  for entry in entries {
    // What is there at all shows.
    let scaled = (Double(entry.count) / Double(largest) * Double(width)).rounded()
    let length = entry.count == 0 ? 0 : max(1, Int(scaled))
    let bar = String(repeating: "#", count: length)
    table.add([
      entry.label, "|" + bar + String(repeating: " ", count: width - length), grouped(entry.count),
    ])
  }
  return table.takeLines(titled: false)
}
