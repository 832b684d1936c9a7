import Exchange
public import StorageBase

/// What may be said about a file to import. Everything has a default that suits most files.
public struct FileImportOptions: Sendable {
  /// The format; nil detects it by content (a TFRA pair by its name).
  public var format: FileFormat?
  /// What happens to an id that has a row already.
  public var existing: ImportOptions.Existing
  /// The `lastStep` of the rows imported.
  public var step: Int64
  /// A file with the id of each row, for npy and safetensors: text with one id a line, or a
  /// one-dimensional npy of integers. Without it, rows that have no ids are numbered from 0.
  public var idsPath: String?
  /// The tensor with the vectors, for safetensors; nil takes the only two-dimensional one.
  public var tensorName: String?
  /// A file of `key count` lines, as word2vec and gensim write it: the counts become the rows'
  /// frequencies, 0 for ids that it does not name. For the formats of words. Held in memory whole.
  public var vocabularyPath: String?
  /// The id type to read the file with; nil takes the table's where words can be read as decimal
  /// integers, else what the format has: byte strings for words, Int64 for numbers.
  public var idType: IDType?
  /// The dimension of a GloVe file whose first word has spaces and numbers in it; nil takes the
  /// first line's.
  public var dimension: Int?
  /// At most this many rows, the first of the file; nil for all. What follows is not checked.
  public var maximumRows: Int?

  /// Creates options; by default rows that exist are replaced.
  public init(
    format: FileFormat? = nil, existing: ImportOptions.Existing = .replace, step: Int64 = 0,
    idsPath: String? = nil, tensorName: String? = nil, vocabularyPath: String? = nil,
    idType: IDType? = nil, dimension: Int? = nil, maximumRows: Int? = nil
  ) {
    self.format = format
    self.existing = existing
    self.step = step
    self.idsPath = idsPath
    self.tensorName = tensorName
    self.vocabularyPath = vocabularyPath
    self.idType = idType
    self.dimension = dimension
    self.maximumRows = maximumRows
  }

  func readerOptions(for tableType: IDType?) -> ReaderOptions {
    ReaderOptions(
      format: format?.exchange, idsPath: idsPath, tensorName: tensorName,
      vocabularyPath: vocabularyPath, idType: idType ?? (tableType == .int64 ? .int64 : nil),
      dimension: dimension)
  }
}

/// What may be said about a file to export to.
public struct FileExportOptions: Sendable {
  /// The order in which rows are written.
  public enum Order: String, Sendable, Hashable, CaseIterable {
    /// By row number: the order of first sight, read at the speed of the disk.
    case row
    /// By falling frequency, rows of equal frequency by row number: what gensim and most users of
    /// word vectors expect.
    ///
    /// Of an ``EmbeddingTable`` only row numbers are held in memory (8 bytes a row, 10 while they
    /// are sorted); rows are read in sorted chunks, so that a block is read once for each chunk
    /// that it has rows in. Of other stores the ids are held.
    case frequency
  }

  /// The format; nil takes what the name ends in (see ``FileFormat/named(by:)``).
  public var format: FileFormat?
  /// The order of the rows.
  public var order: Order
  /// A file to write `key count` lines to, beside a file of words; nil for none.
  public var vocabularyPath: String?
  /// The file of ids beside an npy; nil takes the npy's name with `.ids.npy` (Int64) or `.ids.txt`.
  public var idsPath: String?
  /// The name of the tensor with the vectors, for safetensors.
  public var tensorName: String
  /// Whether word2vec's binary format has a newline after each row, as word2vec itself writes it.
  /// gensim writes none, and reads both.
  public var newlineAfterRow: Bool

  /// Creates options.
  public init(
    format: FileFormat? = nil, order: Order = .row, vocabularyPath: String? = nil,
    idsPath: String? = nil, tensorName: String = "embeddings", newlineAfterRow: Bool = false
  ) {
    self.format = format
    self.order = order
    self.vocabularyPath = vocabularyPath
    self.idsPath = idsPath
    self.tensorName = tensorName
    self.newlineAfterRow = newlineAfterRow
  }

  var writerOptions: WriterOptions {
    WriterOptions(
      idsPath: idsPath, tensorName: tensorName, newlineAfterRecord: newlineAfterRow,
      vocabularyPath: vocabularyPath)
  }
}

/// How far an import or export is, for a progress bar. Told after every batch.
public struct FileProgress: Sendable, Hashable {
  /// Rows read or written so far.
  public var rows: Int
  /// All rows, where that is known before the end.
  public var totalRows: Int?
  /// Bytes of the file read so far (compressed, if it is); 0 for an export.
  public var bytes: Int
  /// The size of the file, nil for a stream and for an export.
  public var totalBytes: Int?

  /// Creates a report of progress.
  public init(rows: Int, totalRows: Int? = nil, bytes: Int = 0, totalBytes: Int? = nil) {
    self.rows = rows
    self.totalRows = totalRows
    self.bytes = bytes
    self.totalBytes = totalBytes
  }
}

/// What an export wrote.
public struct ExportSummary: Sendable, Hashable {
  /// Rows written.
  public var rows: Int
  /// The format written.
  public var format: FileFormat
  /// The commit that the rows are of; nil for a store without commits.
  public var commit: CommitPoint?

  /// Creates a summary.
  public init(rows: Int, format: FileFormat, commit: CommitPoint? = nil) {
    self.rows = rows
    self.format = format
    self.commit = commit
  }
}
