import StorageBase

/// A row as a commit writes it, whatever becomes of the cached one meanwhile.
struct StagedRow {
  let shard: UInt16
  let isDeleted: Bool
  let slot: UInt32
  let hash: UInt64
  /// The number in the last commit, or `RowHeader.noRow`.
  var row: UInt64
  let counts: RowCounts
  /// Vector and slots; nil for a deleted row.
  let floats: UnsafeMutablePointer<Float>?
  /// The bytes of a byte-string id. They are the cached row's, which stays where it is until the
  /// commit has ended.
  let idBytes: UnsafeRawBufferPointer

  var key: RowKey { RowKey(hash: hash, bytes: idBytes) }
  var isNew: Bool { row == RowHeader.noRow }
}

/// The rows of a shard on their way into a commit.
///
/// Unsafe: memory of its own for their floats, kept from commit to commit.
final class StagedRows: @unchecked Sendable {
  // Unchecked: filled under the lock of its shard, then handed over to the commit.
  private(set) var rows: [StagedRow] = []
  private let rowFloats: Int
  private var chunks: [UnsafeMutablePointer<Float>] = []
  private var used = 0

  private static let chunkRows = 256

  init(rowFloats: Int) { self.rowFloats = rowFloats }

  deinit {
    for chunk in chunks { chunk.deallocate() }
  }

  /// Room for the floats of a row.
  func addFloats() -> UnsafeMutablePointer<Float> {
    let (chunk, index) = used.quotientAndRemainder(dividingBy: Self.chunkRows)
    if chunk == chunks.count {
      chunks.append(.allocate(capacity: max(1, Self.chunkRows * rowFloats)))
    }
    used += 1
    return chunks[chunk] + index * rowFloats
  }

  func append(_ row: StagedRow) { rows.append(row) }

  func setRowNumbers(_ number: (_ slot: UInt32) -> UInt64) {
    for i in rows.indices { rows[i].row = number(rows[i].slot) }
  }

  /// Forgets the rows, but keeps the memory for the next ones.
  func removeAll() {
    rows.removeAll(keepingCapacity: true)
    used = 0
  }
}
