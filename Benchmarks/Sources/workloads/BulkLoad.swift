import Embeddings
import Machine
import WorkloadData

/// W4: rows of vector and accumulator into an empty table, from arrays in memory.
///
/// One import is one commit, durable when it returns.
struct BulkLoad {
  let options: RunOptions

  init(_ options: RunOptions) { self.options = options }

  func run() throws {
    let rows = options.rows ?? 2_000_000
    let dimension = options.dimension
    let path = options.path + "/bulk"
    removeDatabase(path)
    let keys = KeyStream(rows: rows, kind: .int64)
    let source = Self.source(rows: rows, dimension: dimension)
    let (vectors, accumulators) = (source.vectors, source.accumulators)
    touchMemory(1 << 30)
    touchDisk(rows * (dimension * 8 + 32) * 5 / 4, in: options.path)
    // The same rows as a plain file, written from its beginning to its end.
    let plain = touchDisk(rows * (dimension * 8 + 8), in: options.path)

    let database = try EmbeddingDatabase(
      at: path, options: .init(cacheBudget: options.budget ?? 256 << 20))
    let table = try database.table(
      "rows", Training.configuration(dimension: dimension, kind: .int64))
    var usage = Usage()
    let start = seconds()
    try table.importRows(ImportOptions(existing: .refuse)) { () throws(EmbeddingError) in
      var next = 0
      return { (batch, limit) throws(EmbeddingError) in
        let end = min(next + limit, rows)
        guard next < end else { return false }
        batch.append(keys, next..<end)
        batch.vectors.append(contentsOf: vectors[next * dimension..<end * dimension])
        batch.slots.append(contentsOf: accumulators[next * dimension..<end * dimension])
        next = end
        return true
      }
    }
    let total = seconds() - start
    usage.stop()

    var result = ResultLine(.w4, options)
    result["rows"] = rows
    result["dimension"] = dimension
    result["insert_durable_rows_per_s"] = Double(rows) / total
    result["rows_per_s"] = Double(rows) / total
    result["total_s"] = total
    result["plain_file_rows_per_s"] = Double(rows) / plain
    result["of_plain_file"] = plain / total
    result["disk_bytes"] = allocatedBytes(path + "/data.mdb")
    result.print(checked: try check(table, rows: rows), usage: usage)
    try database.close()
    removeDatabase(path)
  }

  /// The rows of the table, and beside each the accumulator `0.1 + v*v`.
  private static func source(rows: Int, dimension: Int) -> (vectors: [Float], accumulators: [Float])
  {
    let values = TableValues(dimension: dimension)
    var vectors = [Float](repeating: 0, count: rows * dimension)
    var accumulators = vectors
    for id in 0..<rows {
      for d in 0..<dimension {
        let value = values.value(UInt64(id), d)
        vectors[id * dimension + d] = value
        accumulators[id * dimension + d] = 0.1 + value * value
      }
    }
    return (vectors, accumulators)
  }

  /// Whether every row is there, with its own vector and accumulator.
  private func check(_ table: EmbeddingTable, rows: Int) throws -> Bool {
    let dimension = options.dimension
    let values = TableValues(dimension: dimension)
    var next: UInt64 = 0
    var isRight = true
    // Rows are stored in the order in which they came.
    try table.forEachBatch(ofAtMost: 4_096, includingSlots: true) {
      (batch) throws(EmbeddingError) in
      for k in 0..<batch.count {
        isRight = isRight && batch.ids.int64s[k] == int64Key(next)
        for d in 0..<dimension {
          let value = values.value(next, d)
          isRight =
            isRight && batch.vectors[k * dimension + d] == value
            && batch.slots[k * dimension + d] == 0.1 + value * value
        }
        next += 1
      }
      return isRight
    }
    return isRight && next == UInt64(rows)
  }
}
