package import StorageBase

/// A row of a snapshot, lent for the time of a call.
package struct SnapshotRow: ~Escapable {
  private let block: DecodedBlock
  private let index: Int

  @_lifetime(immortal)
  init(_ block: DecodedBlock, _ index: Int) {
    self.block = block
    self.index = index
  }

  /// Its position among all rows in key order, from 0.
  package var ordinal: UInt64 { block.firstRow + UInt64(index) }

  /// Its id, by value.
  package var id: EmbeddingID { block.rows.ids[index] }

  /// Updates seen.
  package var frequency: UInt64 { block.rows.frequencies[index] }

  /// The step of its last update.
  package var lastStep: Int64 { block.rows.lastSteps[index] }

  /// Its vector, if vectors were asked for.
  package var vector: Span<Float> {
    @_lifetime(borrow self)
    get { lend(block.rows.vectors, block.rows.dimension) }
  }

  /// Its optimizer slots, if all columns were asked for and the snapshot has them.
  package var slots: Span<Float> {
    @_lifetime(borrow self)
    get { lend(block.rows.slots, block.rows.slotCount) }
  }

  /// The row's elements of a column of `width` each.
  @_lifetime(borrow self)
  private func lend(_ column: [Float], _ width: Int) -> Span<Float> {
    // Unsafe: the array belongs to the block, which never changes and which this row keeps alive.
    let elements = column.withUnsafeBufferPointer {
      UnsafeBufferPointer(rebasing: $0[index * width..<(index + 1) * width])
    }
    return _overrideLifetime(Span(_unsafeElements: elements), borrowing: self)
  }
}
