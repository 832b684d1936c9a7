import CKernels
public import StorageBase

extension EmbeddingTable {
  /// Counts the rows of the last commit by frequency and by vector norm.
  ///
  /// Two passes over the vectors, in place in the memory map and checked against their checksums;
  /// the memory needed does not depend on the number of rows.
  ///
  /// - Parameter normBins: bins of equal width between the least and the greatest norm, 1 to 4096.
  /// - Throws: ``EmbeddingError/Code/corruption``.
  public func histograms(normBins: Int = 20) throws(EmbeddingError) -> TableHistograms {
    let rows = try CommittedTable(self)
    return try TableHistograms(rows: rows.count, normBins: normBins) {
      (body) throws(EmbeddingError) in
      try rows.forEachBlock { (block, count) throws(EmbeddingError) in
        for index in 0..<count { body(block.frequency(index), block.norm(index)) }
      }
    }
  }
}

extension SnapshotStore {
  /// Counts the rows by frequency and by vector norm, as
  /// ``EmbeddingTable/histograms(normBins:)`` does those of a table.
  ///
  /// Two passes over the ids, frequencies and vectors of the file.
  ///
  /// - Parameter normBins: bins of equal width between the least and the greatest norm, 1 to 4096.
  /// - Throws: ``EmbeddingError/Code/corruption``.
  public func histograms(normBins: Int = 20) throws(EmbeddingError) -> TableHistograms {
    try TableHistograms(rows: count, normBins: normBins) { (body) throws(EmbeddingError) in
      try forEachBatch(ofAtMost: 4096, includingSlots: false) {
        (batch) throws(EmbeddingError) -> Bool in
        let (dimension, frequencies) = (batch.dimension, batch.frequencies)
        batch.vectors.withUnsafeBufferPointer { vectors in
          for (i, frequency) in frequencies.enumerated() {
            body(frequency, norm(vectors.baseAddress.unsafelyUnwrapped + i * dimension, dimension))
          }
        }
        return true
      }
    }
  }
}

extension TableHistograms {
  /// Calls its argument with the frequency and the norm of each row.
  fileprivate typealias Rows = ((UInt64, Double) -> Void) throws(EmbeddingError) -> Void

  fileprivate init(
    rows count: Int, normBins: Int, _ forEachRow: Rows
  ) throws(EmbeddingError) {
    guard (1...4096).contains(normBins) else {
      throw EmbeddingError(
        .invalidArgument, "A histogram has 1 to 4096 bins; \(normBins) were asked for.")
    }
    self.init()
    rows = count
    guard count > 0 else { return }
    try summarize(forEachRow)
    try countNorms(bins: normBins, forEachRow)
  }

  /// The first pass: frequencies, and the range of the norms.
  private mutating func summarize(_ forEachRow: Rows) throws(EmbeddingError) {
    // Bin 0 is frequency 0; bin b is 2^(b - 1) up to below 2^b.
    var bins = [Int](repeating: 0, count: 65)
    var frequencyRange: (UInt64, UInt64) = (.max, 0)
    var frequencySum = 0.0
    var normRange = (Double.infinity, 0.0)
    var normSum = 0.0
    var nonFinite = 0
    try forEachRow { frequency, norm in
      bins[64 - frequency.leadingZeroBitCount] += 1
      frequencyRange = (min(frequencyRange.0, frequency), max(frequencyRange.1, frequency))
      frequencySum += Double(frequency)
      guard norm.isFinite else {
        nonFinite += 1
        return
      }
      normRange = (min(normRange.0, norm), max(normRange.1, norm))
      normSum += norm
    }
    let counted = bins.indices.filter { bins[$0] > 0 }
    for bin in counted[0]...counted[counted.count - 1] {
      let lower: UInt64 = bin == 0 ? 0 : 1 << UInt64(bin - 1)
      let upper: UInt64 = bin == 0 ? 0 : lower | (lower - 1)
      frequencies.append(FrequencyBin(range: lower...upper, count: bins[bin]))
    }
    frequency = Summary(
      minimum: Double(frequencyRange.0), mean: frequencySum / Double(self.rows),
      maximum: Double(frequencyRange.1))
    nonFiniteRows = nonFinite
    guard nonFinite < self.rows else { return }
    norm = Summary(
      minimum: normRange.0, mean: normSum / Double(self.rows - nonFinite), maximum: normRange.1)
  }

  /// The second pass: rows by norm.
  private mutating func countNorms(bins: Int, _ forEachRow: Rows) throws(EmbeddingError) {
    guard nonFiniteRows < self.rows else { return }
    let (low, high) = (norm.minimum, norm.maximum)
    // Rows of one norm are one bin.
    let bins = low == high ? 1 : bins
    let width = (high - low) / Double(bins)
    var counts = [Int](repeating: 0, count: bins)
    try forEachRow { _, norm in
      guard norm.isFinite else { return }
      counts[width > 0 ? min(Int((norm - low) / width), bins - 1) : 0] += 1
    }
    norms = (0..<bins).map { bin in
      NormBin(
        lower: low + width * Double(bin),
        upper: bin == bins - 1 ? high : low + width * Double(bin + 1), count: counts[bin])
    }
  }
}

extension BlockView {
  /// The Euclidean norm of a row's vector.
  // Unsafe: the kernel reads the vector in place, at any address.
  func norm(_ index: Int) -> Double { Embeddings.norm(vector(index), layout.dimension) }
}

/// The Euclidean norm of a vector.
private func norm(_ vector: UnsafeRawPointer, _ dimension: Int) -> Double {
  Double(ck_dot(vector, vector, dimension)).squareRoot()
}
