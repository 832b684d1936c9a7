import Embeddings
import WorkloadData

/// Batches of keys, and where their answers go.
final class LookupBatches {
  let stream: IDStream
  let dimension: Int
  let ids: [UInt32]
  let keys: KeyStream
  /// One batch's vectors, row-major.
  let output: UnsafeMutableBufferPointer<Float>

  init(_ stream: IDStream, dimension: Int, kind: KeyKind) {
    self.stream = stream
    self.dimension = dimension
    ids = stream.ids()
    keys = KeyStream(ids, kind: kind)
    output = .allocate(capacity: stream.batchSize * dimension)
    output.initialize(repeating: 0)
  }

  deinit { output.deallocate() }

  /// Looks up one batch in a table.
  func lookup(_ batch: Int, in table: EmbeddingTable, _ threads: ThreadPair) throws {
    let start = batch * stream.batchSize
    try threads.run { thread in
      let part = threads.part(thread, of: stream.batchSize)
      // Unsafe: each thread writes its own part of the output.
      let target = UnsafeMutableBufferPointer(
        rebasing: output[part.lowerBound * dimension..<part.upperBound * dimension])
      try keys.withBatch(start + part.lowerBound..<start + part.upperBound) { ids in
        var vectors = MutableSpan(_unsafeElements: target)
        try table.lookup(ids, into: &vectors, mode: .serving)
      }
    }
  }

  /// Whether the output holds the vectors of batch `batch`.
  func isAnswered(_ batch: Int, _ values: TableValues) -> Bool {
    (0..<stream.batchSize).allSatisfy { i in
      values.matches(
        UInt64(ids[batch * stream.batchSize + i]), output.baseAddress! + i * dimension)
    }
  }
}
