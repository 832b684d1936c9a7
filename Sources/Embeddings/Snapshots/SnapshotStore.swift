public import Snapshots
public import StorageBase

/// A snapshot file as a store, read-only: for servers that need no training, straight from the
/// file.
///
/// Ids without a row read as their initial vectors, or as the rows that they share, as they do in the
/// table itself; the vectors of shared rows are read into memory when the first is needed. All calls may
/// come from any number of threads. Nothing is read into memory at first but an index of some
/// kilobytes; what lookups have to decompress is kept up to the budget.
///
///     let words = try SnapshotStore("words.embsnap")
///     let vectors = try words.lookup(["king", "throne"])
///
/// Calls that would change it throw ``EmbeddingError/Code/readOnly``.
public final class SnapshotStore: EmbeddingStore {
  /// What the table was.
  public let configuration: TableConfiguration
  /// What the snapshot is.
  public let snapshot: SnapshotDescription
  /// The path of the file.
  public var path: String { reader.path }

  let reader: SnapshotReader
  /// What ids without a row of their own read, where they share some.
  private let shared: SharedVectors?
  let sampler = SamplerState()

  /// Opens the snapshot at `path`, a regular file that must not change while it is open: it is
  /// mapped into memory, and a process that reads where the file has become shorter ends (SIGBUS).
  ///
  /// - Parameters:
  ///   - path: a full snapshot.
  ///   - cacheBudget: bytes of ids and of opened pages to keep. For random lookups at the speed of
  ///     memory, 8 bytes a row and a byte for each float; where it is less, a row whose page is
  ///     not kept costs the opening of 2 KiB.
  /// - Throws: ``EmbeddingError/Code/unsupportedFormat`` for what is not a snapshot,
  ///   ``EmbeddingError/Code/corruption`` for a damaged one,
  ///   ``EmbeddingError/Code/invalidArgument`` for a delta.
  public init(_ path: String, cacheBudget: Int = 64 << 20) throws(EmbeddingError) {
    guard cacheBudget >= 0 else {
      throw EmbeddingError(
        .invalidArgument, "The cache budget is \(cacheBudget); it must be 0 or more.")
    }
    reader = try SnapshotReader(
      path: path, options: SnapshotReaderOptions(cacheBudget: cacheBudget))
    try reader.description.refuseDelta(file: path)
    snapshot = try reader.readDescription()
    configuration = try snapshot.configuration()
    shared = SharedVectors(configuration)
  }

  /// The number of rows.
  public var count: Int {
    get throws(EmbeddingError) { Int(reader.rowCount) }
  }

  /// Where the bytes of the file are. Reads the headers of all blocks.
  public func statistics() throws(EmbeddingError) -> SnapshotStatistics {
    try reader.statistics()
  }

  /// Copies the vectors of `ids` into `vectors`, in batch order. The mode must be `serving`.
  public func lookup(
    _ ids: borrowing IDBatch, into vectors: inout MutableSpan<Float>, mode: LookupMode
  ) throws(EmbeddingError) {
    if mode == .training { throw readOnly("be looked up in for training") }
    let dimension = configuration.dimension
    try checkBatch(ids, idType: configuration.idType, store: path)
    try checkCount(vectors.count, of: "vectors", is: ids.count * dimension)
    var isFound = [Bool](repeating: false, count: ids.count)
    let target = vectors.withUnsafeMutableBufferPointer { $0.baseAddress }
    guard let target else { return }
    // Unsafe: the caller's buffer, whose size was compared above.
    try reader.copyVectors(ids, to: target, isFound: &isFound)
    try ids.withUnsafeIDs { (ids) throws(EmbeddingError) in
      for i in 0..<ids.count where !isFound[i] {
        try copyAbsent(
          RowKey(ids, i),
          to: UnsafeMutableBufferPointer(start: target + i * dimension, count: dimension))
      }
    }
  }

  /// Copies what an id without a row reads.
  private func copyAbsent(
    _ key: RowKey, to vector: UnsafeMutableBufferPointer<Float>
  ) throws(EmbeddingError) {
    if let shared { return try shared.copy(key.hash, from: reader, to: vector) }
    configuration.initializer.fill(vector, seed: configuration.seed, idBits: key.key)
  }

  /// Reads frequency, last step and presence of `ids`, in batch order.
  public func metadata(
    _ ids: borrowing IDBatch, into metadata: inout MutableSpan<RowMetadata>
  ) throws(EmbeddingError) {
    try checkBatch(ids, idType: configuration.idType, store: path)
    try checkCount(metadata.count, of: "metadata", is: ids.count)
    var found = [RowMetadata](repeating: RowMetadata(), count: ids.count)
    try reader.lookup(ids, columns: .metadata) { (i, row) throws(EmbeddingError) in
      found[i] = RowMetadata(frequency: row.frequency, lastStep: row.lastStep, isPresent: true)
    }
    for i in found.indices { metadata[i] = found[i] }
  }

  func readOnly(_ what: String) -> EmbeddingError {
    EmbeddingError(
      .readOnly,
      "\(path) is a snapshot, which cannot \(what). Import it into a table, and train that.")
  }
}

extension SnapshotStore {
  /// Throws ``EmbeddingError/Code/readOnly``.
  public func update(
    _ ids: borrowing IDBatch, gradients: Span<Float>, step: Int64, learningRate: Float?,
    counting: FrequencyCounting
  ) throws(EmbeddingError) { throw readOnly("be trained") }

  /// Throws ``EmbeddingError/Code/readOnly``.
  public func assign(
    _ ids: borrowing IDBatch, vectors: Span<Float>, step: Int64
  ) throws(EmbeddingError) { throw readOnly("be assigned to") }

  /// Throws ``EmbeddingError/Code/readOnly``.
  public func addFrequency(_ ids: borrowing IDBatch) throws(EmbeddingError) {
    throw readOnly("count")
  }

  /// Throws ``EmbeddingError/Code/readOnly``.
  @discardableResult
  public func delete(_ ids: borrowing IDBatch) throws(EmbeddingError) -> Int {
    throw readOnly("lose rows")
  }

  /// Throws ``EmbeddingError/Code/readOnly``.
  @discardableResult
  public func importRows(
    _ options: ImportOptions, from makeSource: () throws(EmbeddingError) -> RowSource
  ) throws(EmbeddingError) -> ImportSummary { throw readOnly("take in rows") }
}
