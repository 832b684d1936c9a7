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

  /// The names.
  public static var allValueStrings: [String] { ["bytes", "int64"] }
  /// The names, to complete.
  public static var defaultCompletionKind: CompletionKind { .list(allValueStrings) }
}
