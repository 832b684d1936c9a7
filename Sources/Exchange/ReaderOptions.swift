package import StorageBase

/// What a caller may say about a file to read. Everything has a default that suits most files.
package struct ReaderOptions: Sendable {
  /// The format; nil detects it by content (and TFRA pairs by name).
  package var format: ExchangeFormat?
  /// A file with the id of each row, for npy and safetensors: text with one id a line, or a
  /// one-dimensional npy of integers. Without it, and without ids of its own, a matrix has its rows
  /// numbered from 0.
  package var idsPath: String?
  /// The tensor with the vectors, for safetensors; nil takes the only two-dimensional one.
  package var tensorName: String?
  /// A file of `key count` lines, as word2vec and gensim write it: the counts become the rows'
  /// frequencies, 0 for ids that it does not name. It is held in memory whole.
  package var vocabularyPath: String?
  /// The id type wanted; nil takes what the format has: byte strings for words, else Int64. Words
  /// asked for as Int64 are parsed as decimal integers.
  package var idType: IDType?
  /// The dimension of a GloVe file whose first word contains numbers; nil takes the first line's.
  package var dimension: Int?
  /// Whether NaN and infinity are read as they are. By default they are errors: one NaN spoils
  /// every sum that it enters.
  package var allowsNonFinite = false
  /// Whether ids must be valid UTF-8. By default ids are bytes, kept bit for bit; gensim refuses
  /// invalid UTF-8 unless told otherwise.
  package var requiresUTF8 = false

  package init(
    format: ExchangeFormat? = nil, idsPath: String? = nil, tensorName: String? = nil,
    vocabularyPath: String? = nil, idType: IDType? = nil, dimension: Int? = nil,
    allowsNonFinite: Bool = false, requiresUTF8: Bool = false
  ) {
    self.format = format
    self.idsPath = idsPath
    self.tensorName = tensorName
    self.vocabularyPath = vocabularyPath
    self.idType = idType
    self.dimension = dimension
    self.allowsNonFinite = allowsNonFinite
    self.requiresUTF8 = requiresUTF8
  }
}

/// Bounds on what a file may claim. Beyond them a file is taken for damaged.
enum Limits {
  /// The largest dimension: 4 MiB a vector.
  static let dimension = 1 << 20
  /// The longest line of a text format in bytes.
  static let line = 1 << 26
  /// The longest word of word2vec's binary format in bytes.
  static let word = 1 << 20
  /// The longest npy header in bytes; numpy's own limit is 10,000 characters.
  static let npyHeader = 1 << 16
  /// The longest safetensors header in bytes, as in the reference implementation.
  static let safetensorsHeader = 100_000_000
}
