/// How a lookup treats ids that have no row yet.
public enum LookupMode: Sendable, Hashable {
  /// The store is left as it was: an unseen id reads as its initial vector, and stays unseen.
  case serving
  /// An unseen id becomes a row that holds its initial vector; in a table with an admission filter or
  /// a cutoff it stays unseen until it is updated. Refused by read-only stores.
  case training
}

/// How often a batch counts as a sighting of its ids: what it adds to the frequencies of rows, and, of
/// ids without a row, to what the table's admission filter has counted.
public enum FrequencyCounting: UInt8, Sendable, Hashable {
  /// As the table's configuration says (``TableConfiguration/counting``). The default.
  case automatic
  /// One for each distinct id of the batch: "updates seen".
  case updates
  /// One for each occurrence in the batch, duplicates included.
  case occurrences
  /// Nothing: the batch is not counted. For further epochs over the same examples: ids without a row
  /// stay where they are on their way to one.
  case none
}

/// What a store knows of a row beside its vector.
public struct RowMetadata: Sendable, Hashable {
  /// Updates seen (see ``FrequencyCounting``).
  public var frequency: UInt64
  /// The step of the last update, or 0 for a row that was never updated.
  public var lastStep: Int64
  /// Whether the id has a row that a commit writes; the other values are 0 where it has none, and is
  /// not on probation.
  public var isPresent: Bool
  /// Whether the id has a row in memory only, below the cutoff of its table.
  public var isOnProbation: Bool

  /// Creates the metadata of a row.
  public init(
    frequency: UInt64 = 0, lastStep: Int64 = 0, isPresent: Bool = false,
    isOnProbation: Bool = false
  ) {
    self.frequency = frequency
    self.lastStep = lastStep
    self.isPresent = isPresent
    self.isOnProbation = isOnProbation
  }
}

/// An embedding table as a trainer or server sees it: the interface of every storage backend.
///
/// Batches are `n` ids and one row-major `[n, dimension]` buffer of Float32 that the caller owns.
/// Ids may repeat within a batch. Every call may be made from any number of threads at once; a
/// batch is atomic row by row. Comfortable forms on arrays stand in extensions.
///
/// Backends: ``EmbeddingTable`` (one table of an ``EmbeddingDatabase``, durable, larger than memory),
/// ``MemoryEmbeddingStore`` (in memory only) and ``SnapshotStore`` (a file, read-only).
///
/// Source: the storage interface follows *DynamicEmbedding: Extending TensorFlow for
/// Colossal-Scale Applications* (2020), section 3.2.2: Lookup, Update, Sample, Import, Export.
public protocol EmbeddingStore: AnyObject, Sendable {
  /// What the table is: dimension, id type, initializer, optimizer.
  var configuration: TableConfiguration { get }

  /// The number of rows, those not yet committed included.
  var count: Int { get throws(EmbeddingError) }

  /// Copies the vectors of `ids` into `vectors`, in batch order.
  ///
  /// - Parameters:
  ///   - ids: `n` ids of the table's type.
  ///   - vectors: exactly `[n, dimension]` floats.
  ///   - mode: whether unseen ids become rows.
  /// - Throws: ``EmbeddingError/Code/invalidArgument`` when types or sizes do not fit,
  ///   ``EmbeddingError/Code/readOnly``, ``EmbeddingError/Code/budgetTooSmall``.
  func lookup(
    _ ids: borrowing IDBatch, into vectors: inout MutableSpan<Float>, mode: LookupMode
  ) throws(EmbeddingError)

  /// Sums the gradients of equal ids and applies one optimizer step to each distinct id.
  ///
  /// Unseen ids become rows first, unless the table admits only some
  /// (``TableConfiguration/admission``). The call is all or nothing: when it throws, no row was
  /// trained.
  ///
  /// - Parameters:
  ///   - ids: `n` ids of the table's type.
  ///   - gradients: `[n, dimension]` floats; NaN and infinity are refused.
  ///   - step: the training step, stored as the rows' `lastStep`.
  ///   - learningRate: this step's learning rate; nil takes the optimizer's own.
  ///   - counting: how often the batch counts as a sighting of its ids.
  func update(
    _ ids: borrowing IDBatch, gradients: Span<Float>, step: Int64, learningRate: Float?,
    counting: FrequencyCounting
  ) throws(EmbeddingError)

  /// Writes vectors as they are, without an optimizer; the last of equal ids wins.
  ///
  /// Unseen ids become rows. Slots and frequency of rows that exist stay as they are.
  func assign(_ ids: borrowing IDBatch, vectors: Span<Float>, step: Int64) throws(EmbeddingError)

  /// Adds one to the frequency of a row for every occurrence of its id, and changes nothing else.
  ///
  /// Unseen ids become rows, unless the table admits only some. For trainers that see more ids than
  /// they train on (subsampling).
  func addFrequency(_ ids: borrowing IDBatch) throws(EmbeddingError)

  /// Deletes the rows of `ids`; ids without a row are passed over.
  ///
  /// - Returns: the number of rows deleted.
  @discardableResult
  func delete(_ ids: borrowing IDBatch) throws(EmbeddingError) -> Int

  /// Reads frequency, last step and presence of `ids` into `metadata`, `n` entries in batch order.
  func metadata(
    _ ids: borrowing IDBatch, into metadata: inout MutableSpan<RowMetadata>
  ) throws(EmbeddingError)

  /// Draws negatives from the stored rows, and merges them with the positives of one example into
  /// one list of the length that the request names (the paper, section 3.2.4).
  ///
  /// Durable backends draw from the last commit.
  ///
  /// - Parameters:
  ///   - request: how many candidates, from which distribution, with which seed.
  ///   - positives: the example's positives, at most as many as the list is long.
  func sample(
    _ request: SamplingRequest, positives: IDColumn
  ) throws(EmbeddingError) -> CandidateSample

  /// Hands all rows to `body`, batch by batch, in row order: the way out for export and search.
  ///
  /// Durable backends show exactly one commit, the last, whatever is trained meanwhile. The memory
  /// needed is one batch's.
  ///
  /// - Parameters:
  ///   - batchSize: at most this many rows at a time.
  ///   - includingSlots: whether the optimizer slots are read too.
  ///   - body: reads the batch; returns false to stop.
  func forEachBatch(
    ofAtMost batchSize: Int, includingSlots: Bool,
    _ body: (borrowing RowBatch) throws(EmbeddingError) -> Bool
  ) throws(EmbeddingError)

  /// Takes in rows batch by batch, all or nothing. See ``ImportOptions``.
  ///
  /// - Parameters:
  ///   - options: what happens to ids that have a row already.
  ///   - makeSource: starts the source, and may be called again when the import must start over
  ///     (the memory map had to grow); each call returns a function that fills a batch and returns
  ///     false at the end.
  @discardableResult
  func importRows(
    _ options: ImportOptions, from makeSource: () throws(EmbeddingError) -> RowSource
  ) throws(EmbeddingError) -> ImportSummary
}

/// A source of rows: fills the emptied batch with at most `limit` rows, and returns false when
/// there are none left.
public typealias RowSource = (
  _ batch: inout RowBatch, _ limit: Int
) throws(EmbeddingError) -> Bool

/// How rows that are imported meet rows that are stored.
public struct ImportOptions: Sendable, Hashable {
  /// What happens to an id that has a row already.
  public enum Existing: Sendable, Hashable {
    /// Its vector, and slots and metadata where the source has them, are replaced.
    case replace
    /// Its row stays as it is.
    case keep
    /// It is replaced where the row that comes has the later last step, and stays where not.
    case newer
    /// The import is refused, and nothing changes.
    case refuse
  }

  /// What happens to an id that has a row already. Of equal ids within one import, the first wins.
  public var existing: Existing
  /// The `lastStep` of rows whose source has none.
  public var step: Int64

  /// Creates options; by default rows are replaced.
  public init(existing: Existing = .replace, step: Int64 = 0) {
    self.existing = existing
    self.step = step
  }
}

/// What an import did.
public struct ImportSummary: Sendable, Hashable {
  /// Rows that did not exist before.
  public var inserted = 0
  /// Rows that existed and were replaced.
  public var replaced = 0
  /// Rows that existed and were kept.
  public var kept = 0
  /// Rows of the source passed over, since an earlier row of it has the same id.
  public var duplicates = 0

  /// Creates an empty summary.
  public init() {}
}
