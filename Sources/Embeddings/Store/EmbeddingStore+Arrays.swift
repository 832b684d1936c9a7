/// The comfortable forms: arrays in, arrays out. They allocate; the span forms do not.
extension EmbeddingStore {
  /// The vectors of `ids`, row-major `[n, dimension]`.
  public func lookup(
    _ ids: IDColumn, mode: LookupMode = .serving
  ) throws(EmbeddingError) -> [Float] {
    var vectors = [Float](repeating: 0, count: ids.count * configuration.dimension)
    var span = vectors.mutableSpan
    try lookup(ids.batch, into: &span, mode: mode)
    return vectors
  }

  /// The vectors of string ids, one array each.
  public func lookup(
    _ ids: [String], mode: LookupMode = .serving
  ) throws(EmbeddingError) -> [[Float]] {
    rows(of: try lookup(IDColumn(ids), mode: mode))
  }

  /// The vectors of Int64 ids, one array each.
  public func lookup(
    _ ids: [Int64], mode: LookupMode = .serving
  ) throws(EmbeddingError) -> [[Float]] {
    rows(of: try lookup(IDColumn(ids), mode: mode))
  }

  /// One optimizer step for string ids, one gradient each.
  public func update(
    _ ids: [String], gradients: [[Float]], step: Int64, learningRate: Float? = nil,
    counting: FrequencyCounting = .automatic
  ) throws(EmbeddingError) {
    try update(
      IDColumn(ids), gradients: try flat(gradients), step: step, learningRate: learningRate,
      counting: counting)
  }

  /// One optimizer step for Int64 ids, one gradient each.
  public func update(
    _ ids: [Int64], gradients: [[Float]], step: Int64, learningRate: Float? = nil,
    counting: FrequencyCounting = .automatic
  ) throws(EmbeddingError) {
    try update(
      IDColumn(ids), gradients: try flat(gradients), step: step, learningRate: learningRate,
      counting: counting)
  }

  /// One optimizer step; `gradients` is row-major `[n, dimension]`.
  public func update(
    _ ids: IDColumn, gradients: [Float], step: Int64, learningRate: Float? = nil,
    counting: FrequencyCounting = .automatic
  ) throws(EmbeddingError) {
    try update(
      ids.batch, gradients: gradients.span, step: step, learningRate: learningRate,
      counting: counting)
  }

  /// Writes the vectors of string ids as they are.
  public func assign(
    _ ids: [String], vectors: [[Float]], step: Int64 = 0
  ) throws(EmbeddingError) {
    try assign(IDColumn(ids), vectors: try flat(vectors), step: step)
  }

  /// Writes the vectors of Int64 ids as they are.
  public func assign(
    _ ids: [Int64], vectors: [[Float]], step: Int64 = 0
  ) throws(EmbeddingError) {
    try assign(IDColumn(ids), vectors: try flat(vectors), step: step)
  }

  /// Writes vectors as they are; `vectors` is row-major `[n, dimension]`.
  public func assign(
    _ ids: IDColumn, vectors: [Float], step: Int64 = 0
  ) throws(EmbeddingError) {
    try assign(ids.batch, vectors: vectors.span, step: step)
  }

  /// Deletes the rows of string ids, and returns how many there were.
  @discardableResult
  public func delete(_ ids: [String]) throws(EmbeddingError) -> Int {
    try delete(IDColumn(ids).batch)
  }

  /// Deletes the rows of Int64 ids, and returns how many there were.
  @discardableResult
  public func delete(_ ids: [Int64]) throws(EmbeddingError) -> Int {
    try delete(IDColumn(ids).batch)
  }

  /// Frequency, last step and presence of each of `ids`.
  public func metadata(_ ids: IDColumn) throws(EmbeddingError) -> [RowMetadata] {
    var metadata = [RowMetadata](repeating: RowMetadata(), count: ids.count)
    var span = metadata.mutableSpan
    try self.metadata(ids.batch, into: &span)
    return metadata
  }

  /// Draws candidates from the stored rows, without positives.
  public func sample(_ request: SamplingRequest) throws(EmbeddingError) -> CandidateSample {
    try sample(request, positives: IDColumn(type: configuration.idType))
  }

  /// Whether `id` has a row.
  public func contains(_ id: EmbeddingID) throws(EmbeddingError) -> Bool {
    try metadata(of: id).isPresent
  }

  /// Frequency, last step and presence of `id`.
  public func metadata(of id: EmbeddingID) throws(EmbeddingError) -> RowMetadata {
    try metadata(IDColumn([id], type: id.type))[0]
  }

  private func rows(of vectors: [Float]) -> [[Float]] {
    let dimension = configuration.dimension
    return stride(from: 0, to: vectors.count, by: dimension).map {
      Array(vectors[$0..<$0 + dimension])
    }
  }

  private func flat(_ rows: [[Float]]) throws(EmbeddingError) -> [Float] {
    let dimension = configuration.dimension
    var floats: [Float] = []
    floats.reserveCapacity(rows.count * dimension)
    for (i, row) in rows.enumerated() {
      guard row.count == dimension else {
        throw EmbeddingError(
          .invalidArgument,
          "Row \(i) has \(row.count) values; the table's dimension is \(dimension).")
      }
      floats.append(contentsOf: row)
    }
    return floats
  }
}
