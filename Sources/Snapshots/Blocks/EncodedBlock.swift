import StorageBase

/// A block that is ready to be written, but for its place in the file.
final class EncodedBlock: @unchecked Sendable {
  // Unchecked: a worker fills it, then the writing thread reads it; a queue lies between them.
  var header = BlockHeader(kind: .rows)
  /// The frames of all parts, one after the other.
  let payload = Scratch()
  var keys: [UInt64] = []
  var firstID = EmbeddingID.int64(0)
  var lastID = EmbeddingID.int64(0)
  /// The content of the columns before compression, for statistics.
  var contentLength = 0
}
