import Benchmark
import Embeddings
import WorkloadData

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A table in a temporary directory, and a batch for it.
final class PartTable {
  let database: EmbeddingDatabase
  let table: EmbeddingTable
  let rows: Int
  /// The first row of the batch.
  var first = 0
  var step: Int64 = 1
  private let path: String
  private let keys: KeyStream
  private let vectors: UnsafeMutableBufferPointer<Float>
  private let gradients: UnsafeMutableBufferPointer<Float>

  /// An empty table whose batches are its first rows.
  init(
    kind: KeyKind, optimizer: any Optimizer, rows: Int = batchSize, budget: Int = 1 << 30
  ) throws {
    var template = Array("/tmp/embedding-parts-XXXXXX".utf8CString)
    path = String(cString: mkdtemp(&template))
    database = try EmbeddingDatabase(at: path, options: .init(cacheBudget: budget))
    table = try database.table(
      "rows",
      TableConfiguration(
        dimension: dimension, idType: kind == .int64 ? .int64 : .bytes, optimizer: optimizer))
    self.rows = rows
    keys = KeyStream(rows: rows, kind: kind)
    vectors = .allocate(capacity: batchSize * dimension)
    vectors.initialize(repeating: 0)
    gradients = .allocate(capacity: batchSize * dimension)
    for i in gradients.indices { gradients[i] = Float(i % 101 - 50) * 1e-4 }
  }

  deinit {
    try? database.close()
    for file in ["data.mdb", "lock.mdb", "writer.lock"] { unlink(path + "/" + file) }
    rmdir(path)
    vectors.deallocate()
    gradients.deallocate()
  }

  /// Lends the batch. Written out for both kinds of ids, so that nothing here allocates.
  private func withBatch(_ body: (borrowing IDBatch) throws -> Void) throws {
    switch keys.kind {
    case .int64:
      let ids = UnsafeBufferPointer(rebasing: keys.int64s[first..<first + batchSize])
      try body(IDBatch(Span(_unsafeElements: ids)))
    case .string:
      let offsets = UnsafeBufferPointer(rebasing: keys.offsets[first...first + batchSize])
      try body(
        IDBatch(
          offsets: Span(_unsafeElements: offsets),
          bytes: RawSpan(_unsafeBytes: UnsafeRawBufferPointer(keys.bytes))))
    }
  }

  func lookUp() throws {
    try withBatch { ids in
      var span = MutableSpan(_unsafeElements: vectors)
      try table.lookup(ids, into: &span, mode: .serving)
    }
  }

  func update(step: Int64) throws {
    try withBatch { ids in
      try table.update(
        ids, gradients: Span(_unsafeElements: UnsafeBufferPointer(gradients)), step: step,
        learningRate: nil, counting: .updates)
    }
  }

  /// Writes every row of the table from a source that has them all at hand.
  func importAll() throws {
    try table.importRows(ImportOptions()) { () throws(EmbeddingError) in
      var next = 0
      return { (batch, limit) throws(EmbeddingError) in
        let end = min(next + limit, self.rows)
        guard next < end else { return false }
        for i in next..<end {
          batch.ids.append(self.keys.int64s[i])
          let start = (i % batchSize) * dimension
          batch.vectors.append(contentsOf: self.gradients[start..<start + dimension])
        }
        next = end
        return true
      }
    }
  }

  /// Reads every row of the last commit.
  func scan() throws {
    var sum: Float = 0
    try table.forEachBatch(ofAtMost: 4_096, includingSlots: true) {
      (batch) throws(EmbeddingError) in
      sum += batch.vectors[0]
      return true
    }
    blackHole(sum)
  }
}
