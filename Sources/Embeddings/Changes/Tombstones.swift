import LMDB
import StorageBase

/// Ids that commits deleted, kept so that deltas can delete them elsewhere: chunks by generation.
///
///     +----------+-----------------------------------------------------------+
///     | checksum | u64 tree keys of Int64 ids, or of each byte string        |
///     | u64      | u32 byteCount, bytes                                      |
///     +----------+-----------------------------------------------------------+
///
/// A chunk's key is 40 bits of the generation and 16 bits of its number.
struct Tombstones {
  /// A deleted id, lent from the map.
  struct ID {
    let treeKey: UInt64
    /// The bytes of a byte-string id.
    let bytes: UnsafeRawBufferPointer
  }

  /// The most bytes of a chunk, unless it is one id: what fills four overflow pages of LMDB.
  static let chunkBytes = 4 * 4096 - 16
  static let headerSize = 8

  let storage: TableStorage

  static func key(generation: UInt64, chunk: UInt64) -> UInt64 {
    StateRegion.tombstones.key(generation << 16 | chunk)
  }

  /// Removes the ids that commit `generation` deleted.
  func remove(
    generation: UInt64, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    try transaction.withCursor(storage.state) { (cursor) throws(EmbeddingError) in
      var next = try cursor.seek(atOrAfter: Self.key(generation: generation, chunk: 0))
      while let (key, _) = next, let rest = StateRegion.tombstones.rest(ofKey: key),
        rest >> 16 == generation
      {
        try cursor.deleteCurrent()
        next = try cursor.seek(atOrAfter: key)
      }
    }
  }

  /// Calls `body` with every id that was deleted after `generation`, in the order of the deletions;
  /// ids that came back and went again come twice.
  func forEach<T: ReadableTransaction & ~Copyable>(
    after generation: UInt64, in transaction: borrowing T,
    _ body: (ID, _ generation: UInt64) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    try transaction.withCursor(storage.state) { (cursor) throws(EmbeddingError) in
      var next = try cursor.seek(atOrAfter: Self.key(generation: generation + 1, chunk: 0))
      while let (key, value) = next, let rest = StateRegion.tombstones.rest(ofKey: key) {
        try forEach(inChunk: value, key: key) { (id) throws(EmbeddingError) in
          try body(id, rest >> 16)
        }
        next = try cursor.next()
      }
    }
  }

  private func forEach(
    inChunk value: UnsafeRawBufferPointer, key: UInt64,
    _ body: (ID) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    func damaged() -> EmbeddingError {
      storage.corruption("a chunk of deleted ids is damaged")
    }
    guard value.count > Self.headerSize else { throw damaged() }
    var rest = UnsafeRawBufferPointer(rebasing: value[Self.headerSize...])
    guard value.loadUnaligned(as: UInt64.self) == xxh3(rest, seed: key) else { throw damaged() }
    while !rest.isEmpty {
      switch storage.idType {
      case .int64:
        guard rest.count >= 8 else { throw damaged() }
        let treeKey = rest.loadUnaligned(as: UInt64.self)
        rest = UnsafeRawBufferPointer(rebasing: rest[8...])
        try body(ID(treeKey: treeKey, bytes: UnsafeRawBufferPointer(start: nil, count: 0)))
      case .bytes:
        guard rest.count > 4 else { throw damaged() }
        let count = Int(rest.loadUnaligned(as: UInt32.self))
        guard rest.count - 4 >= count else { throw damaged() }
        let bytes = UnsafeRawBufferPointer(rebasing: rest[4..<4 + count])
        rest = UnsafeRawBufferPointer(rebasing: rest[(4 + count)...])
        try body(ID(treeKey: xxh3(bytes), bytes: bytes))
      }
    }
  }
}

/// The ids that one commit deletes, on their way into chunks.
struct TombstoneWriter {
  private let storage: TableStorage
  private let generation: UInt64
  private let limit: UInt64
  private var chunk = [UInt8](repeating: 0, count: Tombstones.headerSize)
  private var chunkCount: UInt64 = 0
  /// The ids so far.
  private(set) var count: UInt64 = 0

  /// - Parameter limit: more ids than these need not be kept.
  init(_ storage: TableStorage, generation: UInt64, limit: UInt64) {
    self.storage = storage
    self.generation = generation
    self.limit = limit
  }

  /// Whether there are more than can be kept: those written are then of no use.
  var isOverflowing: Bool { count > limit || chunkCount > 1 << 16 - 1 }

  /// Adds an id, by its key in the id tree and, if it is a byte string, its bytes.
  mutating func append(
    treeKey: UInt64, bytes: UnsafeRawBufferPointer, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    count += 1
    guard !isOverflowing else { return }
    let size = storage.idType == .int64 ? 8 : 4 + bytes.count
    if chunk.count > Tombstones.headerSize, chunk.count + size > Tombstones.chunkBytes {
      try flush(in: transaction)
    }
    switch storage.idType {
    case .int64:
      withUnsafeBytes(of: treeKey.littleEndian) { chunk.append(contentsOf: $0) }
    case .bytes:
      withUnsafeBytes(of: UInt32(bytes.count).littleEndian) { chunk.append(contentsOf: $0) }
      chunk.append(contentsOf: bytes)
    }
  }

  /// Writes what is left.
  mutating func flush(in transaction: borrowing WriteTransaction) throws(EmbeddingError) {
    guard chunk.count > Tombstones.headerSize, !isOverflowing else { return }
    let key = Tombstones.key(generation: generation, chunk: chunkCount)
    let checksum = chunk.withUnsafeBytes {
      xxh3(UnsafeRawBufferPointer(rebasing: $0[Tombstones.headerSize...]), seed: key)
    }
    withUnsafeBytes(of: checksum.littleEndian) { chunk.replaceSubrange(0..<8, with: $0) }
    try chunk.withBytes { (chunk) throws(EmbeddingError) in
      try transaction.put(key, chunk, in: storage.state)
    }
    chunkCount += 1
    chunk.removeSubrange(Tombstones.headerSize...)
  }
}
