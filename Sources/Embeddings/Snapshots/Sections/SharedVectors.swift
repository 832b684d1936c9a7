import Snapshots
import StorageBase
import Synchronization

/// The vectors of a snapshot's shared rows, in memory from their first use on: 8 bytes and a vector
/// for each one that was trained.
final class SharedVectors: Sendable {
  private struct Loaded {
    /// The shared rows that the file has, rising.
    var rows: [Int64] = []
    var vectors: [Float] = []
  }

  private let configuration: TableConfiguration
  private let count: UInt64
  private let loaded = Mutex<Loaded?>(nil)

  /// - Parameter table: the table whose ids share rows; nil is returned if they do not.
  init?(_ table: TableConfiguration) {
    guard let shared = table.ofSharedRows else { return nil }
    configuration = shared
    count = UInt64(table.sharedRows)
  }

  /// Copies the vector of the shared row of an id.
  func copy(
    _ hash: UInt64, from reader: SnapshotReader, to vector: UnsafeMutableBufferPointer<Float>
  ) throws(EmbeddingError) {
    let row = Int64(hash % count)
    let dimension = configuration.dimension
    try loaded.withLock { (loaded) throws(EmbeddingError) in
      if loaded == nil { loaded = try Self.load(reader, dimension) }
      let rows = loaded.unsafelyUnwrapped.rows
      var (low, high) = (0, rows.count)
      while low < high {
        let middle = (low + high) / 2
        if rows[middle] < row { low = middle + 1 } else { high = middle }
      }
      guard low < rows.count, rows[low] == row else {
        return configuration.initializer.fill(
          vector, seed: configuration.seed, idBits: UInt64(bitPattern: row))
      }
      for i in 0..<dimension {
        vector[i] = loaded.unsafelyUnwrapped.vectors[low * dimension + i]
      }
    }
  }

  private static func load(
    _ reader: SnapshotReader, _ dimension: Int
  ) throws(EmbeddingError) -> Loaded {
    var loaded = Loaded()
    let slots = reader.description.storedSlotCount
    let bytes = SharedRow.byteCount(dimension: dimension, slotCount: slots)
    var rest: [UInt8] = []
    var isTagged = false
    try reader.readSection(SectionKind.shared.name) { (piece) throws(EmbeddingError) in
      rest += piece
      var start = 0
      if !isTagged {
        guard rest.starts(with: SectionKind.shared.tag) else {
          throw damagedSection(.shared, "it does not begin as such")
        }
        isTagged = true
        start = SectionKind.tagBytes
      }
      var batch = RowBatch(idType: .int64, dimension: dimension, slotCount: slots)
      while start + bytes <= rest.count {
        batch.removeAll()
        SharedRow.append(Array(rest[start..<start + bytes]), to: &batch)
        guard case .int64(let row) = batch.ids[0], loaded.rows.last.map({ $0 < row }) ?? (row >= 0)
        else { throw damagedSection(.shared, "its rows are out of order") }
        loaded.rows.append(row)
        loaded.vectors += batch.vectors
        start += bytes
      }
      rest.removeFirst(start)
    }
    guard rest.isEmpty else { throw damagedSection(.shared, "it ends too soon") }
    return loaded
  }
}
