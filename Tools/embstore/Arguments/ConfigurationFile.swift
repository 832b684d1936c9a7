import ArgumentParser
import Embeddings
import StorageBase

/// A configuration file: the long options of a command, one a line.
///
///     # Words of the news model.
///     dimension = 64
///     optimizer = adam
///     nesterov
///
/// Empty lines and those that begin with `#` are passed over. An option on the command line wins over
/// the same one in the file.
enum ConfigurationFile {
  static let option = "--config"

  /// The arguments with `--config FILE` replaced by what the file says, in front of the other options
  /// of the command, so that these win.
  static func expand(_ arguments: [String]) throws -> [String] {
    guard let place = arguments.firstIndex(where: { $0 == option || $0.hasPrefix(option + "=") }),
      let command = arguments.first, !command.hasPrefix("-")
    else { return arguments }
    var rest = arguments
    var file = String(rest.remove(at: place).dropFirst(option.count + 1))
    if arguments[place] == option {
      guard rest.indices.contains(place) else {
        throw ValidationError("\(option) needs a file.")
      }
      file = rest.remove(at: place)
    }
    return [command] + (try options(of: file)) + rest.dropFirst()
  }

  private static func options(of file: String) throws -> [String] {
    var options: [String] = []
    let source = try ByteSource(path: file)
    while let line = try source.nextLine(
      maximum: 4096,
      { (line) throws(EmbeddingError) in
        line.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
      })
    {
      let line = trimmed(line)
      if line.isEmpty || line.hasPrefix("#") { continue }
      let parts = line.split(separator: "=", maxSplits: 1).map(trimmed)
      guard let name = parts.first, !name.isEmpty, !name.contains(" "), !name.hasPrefix("-") else {
        throw ValidationError(
          "\(source.name), line \(source.lineNumber): '\(line)' is no 'option = value', such as "
            + "'dimension = 64'.")
      }
      options.append("--\(name)" + (parts.count > 1 ? "=\(parts[1])" : ""))
    }
    return options
  }

  private static func trimmed(_ text: some StringProtocol) -> String {
    let start = text.drop { $0.isWhitespace }
    return String(start.reversed().drop { $0.isWhitespace }.reversed())
  }
}
