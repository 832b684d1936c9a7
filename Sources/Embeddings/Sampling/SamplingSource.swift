package import StorageBase

/// What sampling reads of a table: one committed state of it, which stands still for the call.
///
/// Rows are numbered `0 ..< count` without holes and stored in blocks of `rowsPerBlock`, the last of
/// which may be shorter.
package protocol SamplingSource: ~Copyable, ~Escapable {
  /// The number of rows.
  var count: Int { get }
  /// Rows in a block.
  var rowsPerBlock: Int { get }
  /// The sum of all frequencies. It only decides when ranks are stale, so it need not be exact.
  var totalFrequency: UInt64 { get }
  /// The commit that this is the state of: higher for every later one.
  var generation: UInt64 { get }
  /// The frequency of row `row`.
  func frequency(ofRow row: Int) throws(EmbeddingError) -> UInt64
  /// Replaces the contents of `frequencies` by those of the rows of block `block`, in row order.
  func frequencies(
    ofBlock block: Int, into frequencies: inout [UInt64]
  ) throws(EmbeddingError)
}

extension SamplingSource where Self: ~Copyable, Self: ~Escapable {
  /// The number of blocks.
  package var blockCount: Int { (count + rowsPerBlock - 1) / rowsPerBlock }

  /// Reads a block and checks that it has as many rows as it must.
  func readBlock(_ block: Int, into frequencies: inout [UInt64]) throws(EmbeddingError) {
    try self.frequencies(ofBlock: block, into: &frequencies)
    let expected = min(rowsPerBlock, count - block * rowsPerBlock)
    guard frequencies.count == expected else {
      throw EmbeddingError(
        .corruption,
        "Block \(block) of the table gave \(frequencies.count) frequencies; \(expected) were"
          + " expected. Verify the database.")
    }
  }
}
