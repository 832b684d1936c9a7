public import ArgumentParser
public import Embeddings

// The library's names as values of options.

extension FileFormat: ExpressibleByArgument {}

extension FileExportOptions.Order: ExpressibleByArgument {}

extension SimilarityMetric: ExpressibleByArgument {}

extension IDType: ExpressibleByArgument {
  /// The id type of that name.
  public init?(argument: String) {
    switch argument {
    case "bytes": self = .bytes
    case "int64": self = .int64
    default: return nil
    }
  }

  /// The name.
  public var defaultValueDescription: String { description }
  /// The names.
  public static var allValueStrings: [String] { ["bytes", "int64"] }
  /// The names, to complete.
  public static var defaultCompletionKind: CompletionKind { .list(allValueStrings) }
}

extension ValueEncoding: ExpressibleByArgument {
  /// The encoding of that name.
  public init?(argument: String) {
    guard let found = Self.allCases.first(where: { $0.description == argument }) else { return nil }
    self = found
  }

  /// The name.
  public var defaultValueDescription: String { description }
  /// The names.
  public static var allValueStrings: [String] { allCases.map(\.description) }
  /// The names, to complete.
  public static var defaultCompletionKind: CompletionKind { .list(allValueStrings) }
}

/// What a file is: a snapshot, or of a format of other software.
enum FileKind: ExpressibleByArgument, Equatable {
  case snapshot
  case exchange(FileFormat)

  /// The ending of the names of snapshots.
  static let snapshotEnding = ".embsnap"

  init?(argument: String) {
    if argument == "snapshot" {
      self = .snapshot
    } else if let format = FileFormat(rawValue: argument) {
      self = .exchange(format)
    } else {
      return nil
    }
  }

  static var allValueStrings: [String] { ["snapshot"] + FileFormat.allCases.map(\.rawValue) }
  static var defaultCompletionKind: CompletionKind { .list(allValueStrings) }

  var exchange: FileFormat? { if case .exchange(let format) = self { format } else { nil } }
}
