import StorageBase

/// A batch to import as raw pointers, valid within the closure that lent it.
struct UnsafeRows {
  let vectors: UnsafePointer<Float>
  /// Nil where the source has none, like those that follow.
  let slots: UnsafePointer<Float>?
  let frequencies: UnsafePointer<UInt64>?
  let lastSteps: UnsafePointer<Int64>?
}

extension RowBatch {
  /// Lends the columns beside the ids as raw pointers; the batch has rows, and was checked.
  borrowing func withUnsafeRows<R>(
    _ body: (UnsafeRows) throws(EmbeddingError) -> R
  ) throws(EmbeddingError) -> R {
    try vectors.span.withUnsafeBufferPointer { (vectors) throws(EmbeddingError) -> R in
      try slots.span.withUnsafeBufferPointer { (slots) throws(EmbeddingError) -> R in
        try frequencies.span.withUnsafeBufferPointer { (frequencies) throws(EmbeddingError) -> R in
          try lastSteps.span.withUnsafeBufferPointer { (lastSteps) throws(EmbeddingError) -> R in
            try body(
              UnsafeRows(
                vectors: vectors.baseAddress.unsafelyUnwrapped,
                slots: slots.isEmpty ? nil : slots.baseAddress,
                frequencies: frequencies.isEmpty ? nil : frequencies.baseAddress,
                lastSteps: lastSteps.isEmpty ? nil : lastSteps.baseAddress))
          }
        }
      }
    }
  }
}

/// Puts rows of a batch to import into blocks: what the batch has, and for what it has not, what a
/// row starts with or had before.
struct ImportedValues {
  /// The slots of a row whose source has none: a vector from elsewhere has no history here.
  let initialSlots: [Float]
  /// The last step of such a row.
  let step: Int64
  /// The generation of the commit that the import is.
  let generation: UInt64

  /// Lays out new rows, those at `positions` of the batch, which rise, from row `index` of the block
  /// on. Returns the sum of their frequencies.
  ///
  /// - Parameter keys: the keys of the batch's ids from `first` on.
  func fill(
    _ block: inout BlockBuffer, from index: Int, _ rows: UnsafeRows, _ keys: [UInt64],
    _ first: Int, _ positions: ArraySlice<UInt32>
  ) -> UInt64 {
    var frequency: UInt64 = 0
    // Mostly all rows of a batch are new, and lie side by side there as they will here.
    var k = positions.startIndex
    while k < positions.endIndex {
      let start = Int(positions[k])
      var end = start + 1
      while k + end - start < positions.endIndex, Int(positions[k + end - start]) == end {
        end += 1
      }
      let target = index + k - positions.startIndex
      for position in start..<end {
        frequency &+= setFixed(
          rows, position, key: keys[position - first], in: &block,
          index: target + position - start)
      }
      setFloats(rows, start..<end, in: &block, index: target)
      k += end - start
    }
    return frequency
  }

  /// Replaces row `index` of the block by row `i` of the batch. Returns the change of its frequency.
  func replace(
    _ block: inout BlockBuffer, _ index: Int, _ rows: UnsafeRows, _ i: Int
  ) -> UInt64 {
    let (key, frequency) = (
      block.view(number: 0).key(index), block.view(number: 0).frequency(index)
    )
    defer { setFloats(rows, i..<i + 1, in: &block, index: index) }
    return setFixed(rows, i, key: key, in: &block, index: index, replacing: frequency)
  }

  /// Sets key and metadata of a row from row `i` of the batch. Returns the change of its frequency.
  private func setFixed(
    _ rows: UnsafeRows, _ i: Int, key: UInt64, in block: inout BlockBuffer, index: Int,
    replacing oldFrequency: UInt64 = 0
  ) -> UInt64 {
    let frequency = rows.frequencies.map { $0[i] } ?? oldFrequency
    block.setFixed(
      index, key: key, frequency: frequency, lastStep: rows.lastSteps.map { $0[i] } ?? step,
      generation: generation)
    return frequency &- oldFrequency
  }

  /// Sets vectors and slots of rows side by side from rows `range` of the batch.
  private func setFloats(
    _ rows: UnsafeRows, _ range: Range<Int>, in block: inout BlockBuffer, index: Int
  ) {
    let layout = block.layout
    block.setVectors(
      index, count: range.count, from: rows.vectors + range.lowerBound * layout.dimension)
    guard layout.slotCount > 0 else { return }
    if let slots = rows.slots {
      block.setSlots(
        index, count: range.count, from: slots + range.lowerBound * layout.slotCount)
    } else {
      initialSlots.withUnsafeBytes {
        for offset in 0..<range.count {
          block.setSlots(index + offset, from: $0.baseAddress.unsafelyUnwrapped)
        }
      }
    }
  }
}
