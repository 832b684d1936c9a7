import Exchange
public import StorageBase

/// The file formats in which embeddings are exchanged with other software.
public enum FileFormat: String, Sendable, Hashable, CaseIterable, CustomStringConvertible {
  /// Text with a header: `<count> <dimension>`, then `word v1 v2 ...` a line; what gensim's
  /// `save_word2vec_format` writes.
  case word2vecText = "word2vec-text"
  /// The same header, then each word, one space and little-endian float32s.
  case word2vecBinary = "word2vec-binary"
  /// Text without a header.
  case glove
  /// The `.vec` file of fastText: the grammar of ``word2vecText``.
  case fastText = "fasttext"
  /// One two-dimensional numpy array, with the ids in a file beside it.
  case npy
  /// A tensor of vectors, with the ids in tensors of the same file.
  case safetensors
  /// TensorFlow Recommenders Addons: `<name>-keys` (Int64) and `<name>-values` (float32), both raw.
  case tfra

  /// The name, such as `word2vec-text`.
  public var description: String { rawValue }

  /// The format of the file at `path`, by its first bytes (of a TFRA pair by its name).
  ///
  /// Standard input cannot be looked at without taking from it, and is refused; an import detects
  /// the format of its input by itself.
  ///
  /// - Throws: ``EmbeddingError/Code/unsupportedFormat`` for what is not read here, with the
  ///   remedy; ``EmbeddingError/Code/notFound``.
  public static func detect(path: String) throws(EmbeddingError) -> FileFormat {
    try refuseStandardInput(path)
    return FileFormat(try ExchangeFormat.detect(path: path))
  }

  /// The format that the name of a file to write asks for, or nil: `.txt` word2vec text, `.bin`
  /// word2vec binary, `.glove`, `.vec` fastText, `.npy`, `.safetensors`, `-keys` or `-values` TFRA.
  public static func named(by path: String) -> FileFormat? {
    let endings: [(String, FileFormat)] = [
      (".txt", .word2vecText), (".bin", .word2vecBinary), (".glove", .glove), (".vec", .fastText),
      (".npy", .npy), (".safetensors", .safetensors), ("-keys", .tfra), ("-values", .tfra),
    ]
    return endings.first { path.hasSuffix($0.0) }?.1
  }

  init(_ format: ExchangeFormat) {
    self =
      switch format {
      case .word2vecText: .word2vecText
      case .word2vecBinary: .word2vecBinary
      case .glove: .glove
      case .fastText: .fastText
      case .npy: .npy
      case .safetensors: .safetensors
      case .tfra: .tfra
      }
  }

  var exchange: ExchangeFormat {
    switch self {
    case .word2vecText: .word2vecText
    case .word2vecBinary: .word2vecBinary
    case .glove: .glove
    case .fastText: .fastText
    case .npy: .npy
    case .safetensors: .safetensors
    case .tfra: .tfra
    }
  }
}

func refuseStandardInput(_ path: String) throws(EmbeddingError) {
  guard path != "-" else {
    throw EmbeddingError(
      .invalidArgument,
      "Standard input can be read only once, so it cannot be looked at before it is imported. Name "
        + "a file, or say what the table is.")
  }
}
