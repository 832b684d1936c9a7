import LMDB
import Snapshots
import StorageBase

/// One export of a table as a snapshot, on its way.
struct SnapshotExport {
  let path: String
  let description: SnapshotDescription
  let threads: Int
  let blocks: CommittedBlocks
  let progress: ((FileProgress) -> Void)?

  /// Rows handed to the writer at a time, about.
  static let runRows = 32_768

  /// Walks the ids in their order, and has the writer's threads gather the rows. These have ended
  /// when this returns or throws: the writer waits for them.
  func write(_ table: borrowing CommittedTable) throws(EmbeddingError) -> SnapshotSummary {
    let writer = try SnapshotWriter(
      path: path, description: description, options: SnapshotWriterOptions(threads: threads))
    // Whole blocks of the snapshot, each of which a thread then gathers by itself.
    let limit = writer.rowsPerBlock * max(1, Self.runRows / writer.rowsPerBlock)
    let storage = table.storage
    let count = table.count
    var written = 0
    var run = SnapshotRun(storage, blocks)
    func flush() throws(EmbeddingError) {
      guard run.count > 0 else { return }
      let full = run
      try writer.append(count: full.count) {
        (range, rows) throws(EmbeddingError) in try full.gather(range, into: &rows)
      }
      written += full.count
      run = SnapshotRun(storage, blocks)
      progress?(FileProgress(rows: written, totalRows: count))
    }
    func add(
      _ key: UInt64, _ row: UInt64, _ id: UnsafeRawBufferPointer? = nil
    ) throws(EmbeddingError) {
      guard row < UInt64(count) else {
        throw storage.corruption("an id has row \(row), of \(count)")
      }
      run.add(key, row, id)
      if run.count == limit { try flush() }
    }
    try storage.forEachID(in: table.view.transaction) { (key, value) throws(EmbeddingError) in
      switch storage.idType {
      case .int64:
        try add(key, storage.rowNumber(value))
      case .bytes:
        // Nearly always one; of more, the order is that of their bytes.
        let entries = Array(IDEntries(value: value))
        let sorted =
          entries.count < 2
          ? entries : entries.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
        for id in sorted { try add(key, id.row, id.bytes) }
      }
      return true
    }
    try flush()
    guard written == count else {
      throw storage.corruption("there are \(written) ids for \(count) rows")
    }
    try SectionExport().write(table, to: writer)
    return try writer.finish()
  }
}

/// Rows that follow each other in the order of their ids, to be gathered by any thread.
///
/// `@unchecked Sendable`: it is filled by one thread, and only read once others have it; the ids
/// are of the memory map, like the blocks (``CommittedBlocks``).
final class SnapshotRun: @unchecked Sendable {
  private let storage: TableStorage
  private let blocks: CommittedBlocks
  private var keys: [UInt64] = []
  private var rows: [UInt64] = []
  /// The ids, if they are byte strings.
  private var ids: [UnsafeRawBufferPointer] = []

  init(_ storage: TableStorage, _ blocks: CommittedBlocks) {
    self.storage = storage
    self.blocks = blocks
  }

  var count: Int { rows.count }

  func add(_ key: UInt64, _ row: UInt64, _ id: UnsafeRawBufferPointer?) {
    keys.append(key)
    rows.append(row)
    if let id { ids.append(id) }
  }

  /// Appends rows `range` to a batch, which is empty.
  func gather(_ range: Range<Int>, into batch: inout RowBatch) throws(EmbeddingError) {
    let layout = blocks.layout
    let slotCount = batch.slotCount
    let (vectorBytes, slotBytes) = (4 * layout.dimension, 4 * slotCount)
    for i in range {
      switch storage.idType {
      case .int64: batch.ids.append(IDKeys.id(keys[i]))
      case .bytes: batch.ids.append(bytes: ids[i])
      }
    }
    batch.vectors.append(contentsOf: repeatElement(0, count: range.count * layout.dimension))
    batch.slots.append(contentsOf: repeatElement(0, count: range.count * slotCount))
    batch.frequencies.append(contentsOf: repeatElement(0, count: range.count))
    batch.lastSteps.append(contentsOf: repeatElement(0, count: range.count))
    var stray: Int?
    // Unsafe: rows stand at any address of the map.
    batch.vectors.withUnsafeMutableBytes { vectors in
      batch.slots.withUnsafeMutableBytes { slots in
        for i in range {
          // Neighbors by id are not neighbors in memory.
          if i + 8 < range.upperBound { blocks.prefetch(rows[i + 8]) }
          let (block, index) = blocks.find(rows[i])
          if storage.treeKey(block.key(index)) != keys[i] { stray = stray ?? i }
          let k = i - range.lowerBound
          batch.frequencies[k] = block.frequency(index)
          batch.lastSteps[k] = block.lastStep(index)
          (vectors.baseAddress.unsafelyUnwrapped + k * vectorBytes)
            .copyMemory(from: block.vector(index), byteCount: vectorBytes)
          if slotBytes > 0 {
            (slots.baseAddress.unsafelyUnwrapped + k * slotBytes)
              .copyMemory(from: block.slots(index), byteCount: slotBytes)
          }
        }
      }
    }
    if let stray {
      throw storage.corruption(
        "row \(rows[stray]) is not that of id \(batch.ids[stray - range.lowerBound])")
    }
  }
}
