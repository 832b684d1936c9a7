package import StorageBase

/// The file formats in which people have embeddings.
package enum ExchangeFormat: String, CaseIterable, Sendable {
  /// Text with a header: `<count> <dimension>`, then `word v1 v2 ...` a line. gensim's
  /// `save_word2vec_format`.
  case word2vecText = "word2vec-text"
  /// The same header, then each word, one space and little-endian float32s, with or without a
  /// newline after each record.
  case word2vecBinary = "word2vec-binary"
  /// Text without a header.
  case glove
  /// The `.vec` file of fastText: the grammar of ``word2vecText``. (A fastText `.bin` is a model,
  /// and is refused.)
  case fastText = "fasttext"
  /// One two-dimensional numpy array, with the ids in a file of their own.
  case npy
  /// A tensor of vectors, with the ids in tensors beside it.
  case safetensors
  /// TensorFlow Recommenders Addons: `<name>-keys` (Int64) and `<name>-values` (float32), both raw.
  case tfra

  /// The bytes that detection looks at.
  static let peekLength = 1 << 16
}

extension ExchangeFormat {
  /// The format of the file at `path`, by its first bytes; a TFRA pair by its name.
  package static func detect(path: String) throws(EmbeddingError) -> ExchangeFormat {
    if isTFRAPath(path) { return .tfra }
    return try detect(ByteSource(path: path), path: path)
  }

  /// The format of the content of `source`, of which nothing is consumed.
  static func detect(_ source: ByteSource, path: String) throws(EmbeddingError) -> ExchangeFormat {
    let format = try source.peek(peekLength) { (bytes) throws(EmbeddingError) in
      try detect(bytes, name: source.name)
    }
    // The two share a grammar; the name tells which of them people call it.
    return format == .word2vecText && hasSuffix(path, ".vec") ? .fastText : format
  }

  /// The format of content that begins with `bytes`.
  ///
  /// Text and binary word2vec share a header: they are told apart by whether numbers or anything
  /// else follow the first word. A first line of exactly two integers is taken for a header unless
  /// the second line is of dimension 1 and the header's is not, as in a GloVe file of one-float
  /// vectors.
  package static func detect(
    _ bytes: Span<UInt8>, name: String
  ) throws(EmbeddingError) -> ExchangeFormat {
    try refuseForeignFormats(bytes, name: name)
    if bytes.starts(with: NpyHeader.magic) { return .npy }
    if bytes.count >= 9, bytes[8] == UInt8(ascii: "{") {
      let length = (0..<8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64(bytes[$1]) }
      if length <= Limits.safetensorsHeader { return .safetensors }
    }
    guard !bytes.isEmpty else {
      throw EmbeddingError(.malformedInput, "\(name), byte 0: the file is empty.")
    }
    let first = bytes.line(from: 0)
    guard let header = TextHeader(bytes.extracting(first.range)) else {
      // Of a line that goes on beyond the bytes at hand, the last number may be cut.
      let line = bytes.extracting(first.range)
      let whole =
        first.isComplete || line.count < peekLength
        ? line.count : line.fieldStart(before: line.count)
      if looksLikeText(line.extracting(..<whole)) { return .glove }
      throw EmbeddingError(
        .unsupportedFormat,
        "\(name) is of no format known here; it begins with the bytes \(hex(bytes)). Readable are "
          + "\(allCases.map(\.rawValue).joined(separator: ", ")); name the format if it is one.")
    }
    return classify(bytes, after: first.next, header)
  }

  private static func classify(
    _ bytes: Span<UInt8>, after start: Int, _ header: TextHeader
  ) -> ExchangeFormat {
    let second = bytes.line(from: start)
    if second.range.isEmpty { return .word2vecText }
    let line = bytes.extracting(second.range)
    let values = trailingNumbers(line)
    if values == header.dimension { return .word2vecText }
    // A GloVe file of dimension 1 whose first word is a number: no header says so by chance.
    if values == 1, header.dimension != 1, second.isComplete { return .glove }
    guard let space = bytes.firstIndex(of: UInt8(ascii: " "), from: start) else {
      return .word2vecBinary
    }
    let window = bytes.extracting(
      (space + 1)..<min(bytes.count, space + 1 + min(4096, 4 * header.dimension)))
    let numeric = window.countBytes { isNumberByte($0) }
    return numeric * 2 > window.count ? .word2vecText : .word2vecBinary
  }

  /// Whether the line could be a row of GloVe: a word and at least one number, no control bytes.
  private static func looksLikeText(_ line: Span<UInt8>) -> Bool {
    guard trailingNumbers(line) > 0 else { return false }
    return line.countBytes { $0 < 0x20 && $0 != 0x09 } == 0
  }

  private static func isNumberByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
      UInt8(ascii: "+"), UInt8(ascii: "e"), UInt8(ascii: " "), 0x09, 0x0A, 0x0D:
      true
    default: false
    }
  }
}

/// Refuses, by name and with the remedy, what people hand over in place of an exchange format.
func refuseForeignFormats(_ bytes: Span<UInt8>, name: String) throws(EmbeddingError) {
  func refuse(_ what: String, _ remedy: String) throws(EmbeddingError) {
    throw EmbeddingError(
      .unsupportedFormat, "\(name) is \(what), which is not read here. \(remedy)")
  }
  if bytes.starts(with: Array("FiFu".utf8)) {
    try refuse("a finalfusion file", "Convert it: finalfusion convert -t word2vec in.fifu out.bin")
  }
  if bytes.starts(with: [0xBA, 0x16, 0x4F, 0x2F]) {
    try refuse("a fastText model", "Export its vectors from fastText as a .vec file and read that.")
  }
  if bytes.starts(with: [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A]) {
    try refuse("an HDF5 file", "Save the array from Python: numpy.save('x.npy', file['name'][:])")
  }
  if bytes.starts(with: [0x50, 0x4B, 0x03, 0x04]) || bytes.starts(with: [0x50, 0x4B, 0x05, 0x06]) {
    try refuse(
      "a zip archive (npz, or a PyTorch checkpoint)",
      "Save the array on its own: numpy.save('x.npy', numpy.load('x.npz')['name'])")
  }
  if bytes.starts(with: [0x1F, 0x8B]) {
    try refuse("gzip-compressed", "Decompress it (gunzip), or compress it with zstd instead.")
  }
  if bytes.starts(with: [0xEF, 0xBB, 0xBF]) || bytes.starts(with: [0xFF, 0xFE])
    || bytes.starts(with: [0xFE, 0xFF])
  {
    try refuse(
      "text that begins with a byte order mark", "Save it as UTF-8 without a byte order mark.")
  }
  if bytes.count > 1, bytes[0] == 0x80, (2...5).contains(bytes[1]) {
    try refuse(
      "a Python pickle, which could run any code",
      "Save it from Python in another format, such as gensim's save_word2vec_format.")
  }
}

private func hex(_ bytes: Span<UInt8>) -> String {
  (0..<min(8, bytes.count)).map {
    let digits = String(bytes[$0], radix: 16)
    return digits.count == 1 ? "0" + digits : digits
  }.joined(separator: " ")
}

/// Whether `path` ends in `suffix`, by bytes.
func hasSuffix(_ path: String, _ suffix: String) -> Bool {
  path.utf8.count > suffix.utf8.count
    && path.utf8.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
}
