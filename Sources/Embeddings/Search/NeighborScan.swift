import CKernels

/// A scan for the rows nearest to some queries: scores runs of vectors and keeps the best.
struct NeighborScan: Sendable {
  private let queries: [Float]
  private let dimension: Int
  private let metric: SimilarityMetric
  /// The norms of the queries, for cosine.
  private let queryNorms: [Float]
  private let excludedRows: Set<Int>
  /// The best rows of each query.
  private(set) var best: [BestRows]
  private var scores: [Float] = []
  private var norms: [Float] = []

  /// - Parameter queries: row-major `[q, dimension]`.
  init(
    queries: [Float], dimension: Int, metric: SimilarityMetric, count: Int,
    excluding excludedRows: Set<Int> = []
  ) {
    let queries = metric == .cosine ? scaled(queries, dimension) : queries
    self.queries = queries
    self.dimension = dimension
    self.metric = metric
    self.excludedRows = excludedRows
    let queryCount = queries.count / dimension
    best = Array(repeating: BestRows(limit: count), count: queryCount)
    queryNorms = (0..<queryCount).map { query in
      queries.withUnsafeBufferPointer { queries in
        guard let start = queries.baseAddress else { return 0 }
        return ck_dot(start + query * dimension, start + query * dimension, dimension)
          .squareRoot()
      }
    }
  }

  /// Scores `count` vectors, row-major at any address, as the rows from `firstRow` on.
  ///
  /// The score of a row is a function of its vector and the query alone, so that it does not matter
  /// in which run or thread it is met.
  mutating func add(_ vectors: UnsafeRawPointer, count: Int, firstRow: Int) {
    if scores.count < count {
      scores = [Float](repeating: 0, count: count)
      norms = scores
    }
    let stride = 4 * dimension
    if metric == .cosine {
      for i in 0..<count {
        let vector = vectors + i * stride
        norms[i] = ck_dot(vector, vector, dimension).squareRoot()
      }
    }
    for query in best.indices {
      score(query, vectors, count)
      for i in 0..<count where excludedRows.isEmpty || !excludedRows.contains(firstRow + i) {
        best[query].offer(scores[i], row: firstRow + i)
      }
    }
  }

  /// Sets the merit of each vector: its score, or less the distance.
  private mutating func score(_ query: Int, _ vectors: UnsafeRawPointer, _ count: Int) {
    let dimension = dimension
    // Unsafe: the kernels take addresses.
    queries.withUnsafeBufferPointer { queries in
      guard let start = queries.baseAddress else { return }
      let vector = start + query * dimension
      if metric == .euclidean {
        for i in 0..<count {
          let distance = squaredDistance(vector, vectors + 4 * dimension * i, dimension)
          scores[i] = -distance.squareRoot()
        }
        return
      }
      scores.withUnsafeMutableBufferPointer { scores in
        guard let scores = scores.baseAddress else { return }
        ck_dot_rows(vector, vectors, 4 * dimension, count, dimension, scores)
      }
    }
    guard metric == .cosine else { return }
    for i in 0..<count {
      // One after the other: the product of two norms could leave the range of Float.
      let isZero = norms[i] == 0 || queryNorms[query] == 0
      scores[i] = isZero ? 0 : scores[i] / norms[i] / queryNorms[query]
    }
  }

  /// The score that a merit stands for.
  func score(ofMerit merit: Float) -> Float { metric == .euclidean ? -merit : merit }

  /// Takes in what another scan of the same queries found.
  mutating func merge(_ other: NeighborScan) {
    for query in best.indices { best[query].merge(other.best[query]) }
  }
}

/// Each query times a power of two that brings its largest value near 1: the cosine stays the same,
/// and the squares cannot leave the range of Float.
private func scaled(_ queries: [Float], _ dimension: Int) -> [Float] {
  var scaled = queries
  for start in stride(from: 0, to: queries.count, by: dimension) {
    let largest = queries[start..<start + dimension].lazy.map(\.magnitude).max() ?? 0
    guard largest > 0 else { continue }
    for i in start..<start + dimension {
      scaled[i] = Float(sign: .plus, exponent: -largest.exponent / 2, significand: scaled[i])
      scaled[i] = Float(
        sign: .plus, exponent: -largest.exponent + largest.exponent / 2, significand: scaled[i])
    }
  }
  return scaled
}

/// The sum of `(x[i] - y[i])^2`, in 16 lanes: differences, since the norms of close vectors would
/// cancel.
private func squaredDistance(
  _ x: UnsafePointer<Float>, _ y: UnsafeRawPointer, _ count: Int
) -> Float {
  let x = UnsafeRawPointer(x)
  var lanes = SIMD16<Float>()
  var i = 0
  while i + 16 <= count {
    let difference =
      x.loadUnaligned(fromByteOffset: 4 * i, as: SIMD16<Float>.self)
      - y.loadUnaligned(fromByteOffset: 4 * i, as: SIMD16<Float>.self)
    lanes += difference * difference
    i += 16
  }
  var sum = lanes.sum()
  while i < count {
    let difference =
      x.loadUnaligned(fromByteOffset: 4 * i, as: Float.self)
      - y.loadUnaligned(fromByteOffset: 4 * i, as: Float.self)
    sum += difference * difference
    i += 1
  }
  return sum
}
