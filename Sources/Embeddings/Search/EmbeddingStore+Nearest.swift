public import StorageBase

extension EmbeddingStore {
  /// The rows nearest to the row of `id`, which itself is left out, best first.
  ///
  /// - Throws: ``EmbeddingError/Code/notFound`` where `id` has no row; else as
  ///   ``nearest(toEach:count:metric:excluding:)``.
  public func nearest(
    to id: EmbeddingID, count: Int = 10, metric: SimilarityMetric = .cosine,
    excluding excluded: [EmbeddingID] = []
  ) throws(EmbeddingError) -> [Neighbor] {
    guard id.type == configuration.idType else {
      throw EmbeddingError(
        .invalidArgument,
        "The id \(id) is of type \(id.type); the table's ids are \(configuration.idType).")
    }
    guard try contains(id) else {
      throw EmbeddingError(
        .notFound, "The id \(id) has no row. Search for its vector, or for an id that is stored.")
    }
    let vector = try lookup(IDColumn([id], type: id.type))
    return try nearest(to: vector, count: count, metric: metric, excluding: excluded + [id])
  }

  /// The rows nearest to a vector, best first.
  ///
  /// An analogy (a is to b as c is to ?) is a search for `b - a + c`, of vectors of length 1,
  /// excluding the three.
  public func nearest(
    to vector: [Float], count: Int = 10, metric: SimilarityMetric = .cosine,
    excluding excluded: [EmbeddingID] = []
  ) throws(EmbeddingError) -> [Neighbor] {
    guard vector.count == configuration.dimension else {
      throw EmbeddingError(
        .invalidArgument,
        "The query has \(vector.count) values; the table's dimension is \(configuration.dimension)."
      )
    }
    return try nearest(toEach: vector, count: count, metric: metric, excluding: excluded)[0]
  }

  /// The rows nearest to each of some vectors, in one pass over the table, best first.
  ///
  /// Exact: every row is scored. Rows of equal scores come in row order, and the outcome does not
  /// depend on the number of threads. An ``EmbeddingTable`` is searched as of its last commit, in
  /// place in the memory map; large ones by several threads. The memory needed is that of the
  /// neighbors, and for stores other than tables one batch. Rows whose score is not a number are
  /// passed over.
  ///
  /// - Parameters:
  ///   - vectors: row-major `[q, dimension]`, finite.
  ///   - count: neighbors for each query; fewer where the table has fewer rows.
  ///   - metric: what closeness means.
  ///   - excluded: ids that are no neighbors of any query; ids without a row are passed over.
  /// - Returns: `q` lists.
  /// - Throws: ``EmbeddingError/Code/invalidArgument``, ``EmbeddingError/Code/corruption``.
  public func nearest(
    toEach vectors: [Float], count: Int = 10, metric: SimilarityMetric = .cosine,
    excluding excluded: [EmbeddingID] = []
  ) throws(EmbeddingError) -> [[Neighbor]] {
    let dimension = configuration.dimension
    guard count >= 0, vectors.count.isMultiple(of: dimension) else {
      throw EmbeddingError(
        .invalidArgument,
        "\(count) neighbors of queries of \(vectors.count) values cannot be found; the count is 0 "
          + "or more, and queries have \(dimension) values each.")
    }
    guard vectors.allSatisfy(\.isFinite) else {
      throw EmbeddingError(.invalidArgument, "A query has values that are not finite.")
    }
    if let id = excluded.first(where: { $0.type != configuration.idType }) {
      throw EmbeddingError(
        .invalidArgument,
        "The id \(id) is of type \(id.type); the table's ids are \(configuration.idType).")
    }
    guard count > 0, !vectors.isEmpty else {
      return Array(repeating: [], count: vectors.count / dimension)
    }
    if let table = self as? EmbeddingTable {
      return try table.scanBlocks(vectors, count: count, metric: metric, excluding: excluded)
    }
    return try scanBatches(vectors, count: count, metric: metric, excluding: excluded)
  }

  /// The search in any store, batch by batch.
  private func scanBatches(
    _ vectors: [Float], count: Int, metric: SimilarityMetric, excluding excluded: [EmbeddingID]
  ) throws(EmbeddingError) -> [[Neighbor]] {
    let dimension = configuration.dimension
    let excluded = Set(excluded)
    // Room for the excluded ones, which are known only by their ids here.
    var scan = NeighborScan(
      queries: vectors, dimension: dimension, metric: metric, count: count + excluded.count)
    var ids: [Int: EmbeddingID] = [:]
    var firstRow = 0
    try forEachBatch(
      ofAtMost: max(1, min(4096, (4 << 20) / dimension)), includingSlots: false
    ) { (batch) throws(EmbeddingError) -> Bool in
      batch.vectors.withUnsafeBytes {
        guard let start = $0.baseAddress else { return }
        scan.add(start, count: batch.count, firstRow: firstRow)
      }
      var kept: [Int: EmbeddingID] = [:]
      for entry in scan.best.lazy.flatMap(\.entries) where kept[entry.row] == nil {
        kept[entry.row] = ids[entry.row] ?? batch.ids[entry.row - firstRow]
      }
      ids = kept
      firstRow += batch.count
      return true
    }
    return scan.best.map { best in
      best.sorted.lazy.map { entry in
        Neighbor(id: ids[entry.row].unsafelyUnwrapped, score: scan.score(ofMerit: entry.merit))
      }.filter { !excluded.contains($0.id) }.prefix(count).map { $0 }
    }
  }
}
