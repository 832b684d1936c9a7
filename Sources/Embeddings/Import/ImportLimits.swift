/// How much memory an import takes, and when it writes. Tests take small ones, to meet every case.
struct ImportLimits: Sendable {
  /// Bytes of rows to ask the source for at a time; one row if it is larger.
  ///
  /// Few, like the pages: batches and pages go from thread to thread, and as long as all of them fit
  /// into the processor's cache, they are copied there.
  var batchBytes = 4 << 20
  /// Rows to ask the source for at a time.
  var batchRows = 32_768
  /// Rows of a batch that are taken in at a time, should a source give more than it was asked for.
  var partRows = 1 << 16
  /// Blocks are written ahead of the commit whenever there are so many bytes of them.
  var bytesAhead = 8 << 20
  /// New ids are entered in the id tree whenever there are so many; at most 2^23.
  var idCount = 1 << 22
  /// The same for the bytes of byte-string ids.
  var idBytes = 64 << 20

  /// The rows to ask the source for at a time.
  func batchRows(_ configuration: TableConfiguration) -> Int {
    let rowSize =
      BlockLayout.rowFixedSize + 4 * (configuration.dimension + configuration.slotCount)
    return max(1, min(batchRows, batchBytes / rowSize))
  }

  /// The same, with batches and pages that take no more than a quarter of a budget.
  func within(_ budget: CacheBudget) -> ImportLimits {
    var limits = self
    // Seven batches are under way at most.
    limits.batchBytes = min(batchBytes, max(Self.leastBytes / 8, budget.total / 64))
    limits.bytesAhead = min(bytesAhead, max(Self.leastBytes, budget.total / 8))
    return limits
  }

  /// Less memory for pages would cost more time than it is worth.
  private static let leastBytes = 1 << 20
}
