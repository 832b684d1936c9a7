import StorageBase

/// The rows of a ``MemoryEmbeddingStore``: dense, in columns, found through a dictionary.
struct MemoryRows: Sendable {
  let configuration: TableConfiguration
  private let optimizer: AnyRowOptimizer
  let rowFloats: Int
  var index: [EmbeddingID: Int] = [:]
  var ids: [EmbeddingID] = []
  /// Vector and slots of each row, side by side.
  var floats: [Float] = []
  var frequencies: [UInt64] = []
  var lastSteps: [Int64] = []
  /// The number of changes so far, which sampling takes for commits.
  var generation: UInt64 = 0

  init(_ configuration: TableConfiguration, _ optimizer: AnyRowOptimizer) {
    self.configuration = configuration
    self.optimizer = optimizer
    rowFloats = configuration.dimension + optimizer.slotCount
  }

  func vector(_ row: Int) -> Range<Int> {
    row * rowFloats..<row * rowFloats + configuration.dimension
  }

  func slots(_ row: Int) -> Range<Int> {
    row * rowFloats + configuration.dimension..<(row + 1) * rowFloats
  }

  func metadata(_ row: Int) -> RowMetadata {
    RowMetadata(frequency: frequencies[row], lastStep: lastSteps[row], isPresent: true)
  }

  /// The row of `id`, made with its initial vector and slots where there is none.
  mutating func row(creating id: EmbeddingID) -> Int {
    if let row = index[id] { return row }
    let row = ids.count
    index[id] = row
    ids.append(id)
    frequencies.append(0)
    lastSteps.append(0)
    floats.append(
      contentsOf: configuration.initializer.vector(
        dimension: configuration.dimension, seed: configuration.seed, id: id))
    floats.append(contentsOf: repeatElement(0, count: optimizer.slotCount))
    resetSlots(row)
    return row
  }

  /// Sets the slots of a row to those of a new one.
  mutating func resetSlots(_ row: Int) {
    let range = slots(row)
    floats.withUnsafeMutableBufferPointer { [optimizer] floats in
      if !range.isEmpty {
        optimizer.initializeSlots(floats.baseAddress.unsafelyUnwrapped + range.lowerBound)
      }
    }
  }

  /// Adds to a frequency, which stays at its largest value once it has come there.
  mutating func addFrequency(_ count: UInt64, to row: Int) {
    let (sum, overflows) = frequencies[row].addingReportingOverflow(count)
    frequencies[row] = overflows ? .max : sum
  }

  /// Removes a row; the last one takes its place.
  mutating func remove(_ id: EmbeddingID) -> Bool {
    guard let row = index.removeValue(forKey: id) else { return false }
    let last = ids.count - 1
    if row != last {
      index[ids[last]] = row
      ids[row] = ids[last]
      frequencies[row] = frequencies[last]
      lastSteps[row] = lastSteps[last]
      for i in 0..<rowFloats { floats[row * rowFloats + i] = floats[last * rowFloats + i] }
    }
    ids.removeLast()
    frequencies.removeLast()
    lastSteps.removeLast()
    floats.removeLast(rowFloats)
    return true
  }
}

extension MemoryRows: SamplingSource {
  var count: Int { ids.count }
  var rowsPerBlock: Int { 64 }
  var totalFrequency: UInt64 { frequencies.reduce(0, &+) }

  func frequency(ofRow row: Int) -> UInt64 { frequencies[row] }

  func frequencies(ofBlock block: Int, into frequencies: inout [UInt64]) {
    let start = block * rowsPerBlock
    frequencies.removeAll(keepingCapacity: true)
    frequencies.append(contentsOf: self.frequencies[start..<min(start + rowsPerBlock, count)])
  }
}

extension IDBatch {
  /// The ids, one value each.
  func values() throws(EmbeddingError) -> [EmbeddingID] {
    try withUnsafeIDs { (ids) in
      (0..<ids.count).map { i in
        ids.int64s.map { .int64($0[i]) } ?? .bytes(Array(ids.bytes(i)))
      }
    }
  }
}
