import Embeddings
import Machine
import WorkloadData

/// Opens the table of a lookup workload, and builds it first if it is not there.
struct LookupTable {
  let path: String
  let kind: KeyKind
  let rows: Int
  let dimension: Int

  init(_ options: RunOptions, kind: KeyKind, rows: Int) {
    path = options.path + "/rows-\(rows)x\(options.dimension)-\(kind.rawValue)"
    self.kind = kind
    self.rows = rows
    dimension = options.dimension
  }

  var dataFile: String { path + "/data.mdb" }

  func open(budget: Int) throws -> (EmbeddingDatabase, EmbeddingTable) {
    let database = try EmbeddingDatabase(at: path, options: .init(cacheBudget: budget))
    let table = try database.table(
      "rows",
      TableConfiguration(
        dimension: dimension, idType: kind == .int64 ? .int64 : .bytes, optimizer: .sgd()))
    return (database, table)
  }

  /// Builds the table, unless this very program did so before.
  func build() throws {
    if isNewerThanProgram(dataFile), try hasAllRows() { return }
    removeDatabase(path)
    let (database, table) = try open(budget: 1 << 20)
    let keys = KeyStream(rows: rows, kind: kind)
    let values = TableValues(dimension: dimension)
    try table.importRows(ImportOptions(existing: .refuse)) { () throws(EmbeddingError) in
      var next = 0
      return { (batch, limit) throws(EmbeddingError) in
        let end = min(next + limit, keys.count)
        guard next < end else { return false }
        batch.append(keys, next..<end)
        for id in next..<end {
          for d in 0..<dimension { batch.vectors.append(values.value(UInt64(id), d)) }
        }
        next = end
        return true
      }
    }
    try database.close()
  }
}

extension LookupTable {
  /// Whether an import came to its end here.
  private func hasAllRows() throws -> Bool {
    let (database, table) = try open(budget: 1 << 20)
    let count = try table.count
    try database.close()
    return count == rows
  }
}

extension RowBatch {
  /// Appends keys.
  mutating func append(_ keys: KeyStream, _ range: Range<Int>) {
    for i in range {
      switch keys.kind {
      case .int64: ids.append(keys.int64s[i])
      case .string:
        let bytes = UnsafeRawBufferPointer(keys.bytes)
        ids.append(
          bytes: UnsafeRawBufferPointer(
            rebasing: bytes[Int(keys.offsets[i])..<Int(keys.offsets[i + 1])]))
      }
    }
  }
}
