import LMDB
import StorageBase

/// A filter's state as a stream of chunks, for snapshots: the same bytes for the same state,
/// however it is divided into partitions and journal.
///
/// The first chunk is the format of the filter, sealed. Each of the others begins with a place
/// (u64), followed by counts and payload as in `FilterPartition`: for a Bloom filter its partitions
/// in order, every one of them; for an exact counter the entries of each stripe that has some, up
/// to 2,730 in a chunk.
enum AdmissionState {
  static let headerName = "admission state"

  /// Calls `body` with each chunk of the committed state; with none where there is no state.
  static func forEachChunk(
    of tree: NamedDatabase, in transaction: borrowing some ReadableTransaction & ~Copyable,
    _ body: (UnsafeRawBufferPointer) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    guard let record = try StoredFilter.record(in: transaction, tree: tree) else { return }
    var writer = RecordWriter()
    FilterRecord.write(record.format, to: &writer)
    try RecordWriter.seal(writer.bytes, key: headerName).withBytes(body)
    let stored = StoredFilter(tree: tree, format: record.format)
    for stripe in 0..<FilterStripe.count {
      try forEachChunk(of: stripe, stored, in: transaction, body)
    }
  }

  private static func forEachChunk(
    of stripe: Int, _ stored: StoredFilter,
    in transaction: borrowing some ReadableTransaction & ~Copyable,
    _ body: (UnsafeRawBufferPointer) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    let extents = try stored.extents(
      from: FilterFormat.place(stripe: stripe), bytes: .max, in: transaction)
    var all = FilterPartition(stored.format, nil)
    try stored.forEachPartition(extents, in: transaction) {
      (extent, partition) throws(EmbeddingError) in
      if stored.format.isExact {
        all.entries += partition.entries
      } else {
        try emit(partition, place: extent.start, body)
      }
    }
    // Each piece depends on the entries before it alone.
    var start = 0
    while start < all.entries.count {
      let end = FilterPartition.end(
        all.entries, from: start, count: FilterPartition.mostEntries)
      var piece = all
      piece.setEntries(Array(all.entries[start..<end]), maximum: stored.format.maximum)
      try emit(
        piece,
        place: start == 0 ? FilterFormat.place(stripe: stripe) : piece.entries[0].place, body)
      start = end
    }
  }

  private static func emit(
    _ partition: FilterPartition, place: UInt64,
    _ body: (UnsafeRawBufferPointer) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    try (withUnsafeBytes(of: place) { Array($0) } + partition.state).withBytes(body)
  }
}

/// Reads the chunks of a filter's state, which come from a stranger's file.
struct AdmissionStateReader {
  private let admission: Admission
  private(set) var format: FilterFormat?
  /// The least place that the next chunk may have.
  private var next: UInt64 = 0

  /// One chunk's part of the state.
  struct Part {
    let place: UInt64
    let blocks: FilterFormat.Blocks?
    let partition: FilterPartition
  }

  init(_ admission: Admission) { self.admission = admission }

  /// Reads the next chunk; nil for the first one.
  mutating func read(_ chunk: UnsafeRawBufferPointer) throws(EmbeddingError) -> Part? {
    guard let format else {
      var reader = try RecordReader(chunk, name: AdmissionState.headerName)
      let format = try FilterRecord.readFormat(&reader)
      try AdmissionFilter.check(format, admission)
      self.format = format
      return nil
    }
    guard chunk.count >= 8 else { throw corruptFilter("a chunk of its state is too short") }
    let place = chunk.loadUnaligned(as: UInt64.self)
    let blocks = format.isExact ? nil : format.blocks(at: place)
    guard place < FilterFormat.endPlace, format.isExact ? place >= next : place == next,
      format.isExact || blocks != nil
    else { throw corruptFilter("a chunk of its state is out of order") }
    let partition = try FilterPartition(
      state: UnsafeRawBufferPointer(rebasing: chunk[8...]), format: format, blocks: blocks,
      sequence: 0)
    if let blocks {
      next = format.place(after: blocks)
    } else {
      try checkEntries(partition.entries, from: place)
    }
    return Part(place: place, blocks: blocks, partition: partition)
  }

  private mutating func checkEntries(
    _ entries: [CountEntry], from place: UInt64
  ) throws(EmbeddingError) {
    let stripe = FilterFormat.stripe(ofPlace: place)
    guard let first = entries.first, let last = entries.last, first.place >= place,
      FilterFormat.stripe(ofPlace: last.place) == stripe,
      place == FilterFormat.place(stripe: stripe) || place == first.place
    else { throw corruptFilter("a chunk of its state is out of order") }
    next = last.place + 1
  }

  /// Checks that nothing is missing at the end; returns nil where there was no chunk at all.
  func finish() throws(EmbeddingError) -> FilterFormat? {
    guard let format else { return nil }
    guard format.isExact || next == FilterFormat.endPlace else {
      throw corruptFilter("its state ends too soon")
    }
    return format
  }
}

/// Writes the chunks of a filter's state to a table that has none.
struct AdmissionStateWriter {
  private var reader: AdmissionStateReader
  private let tree: NamedDatabase
  private let sequence: UInt64
  private var entryBytes = 0

  /// - Parameter generation: the number of the commit that this belongs to.
  init(_ admission: Admission, generation: UInt64, tree: NamedDatabase) {
    reader = AdmissionStateReader(admission)
    self.tree = tree
    sequence = generation + 1
  }

  mutating func write(
    _ chunk: UnsafeRawBufferPointer, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    guard let part = try reader.read(chunk) else { return }
    var partition = part.partition
    partition.sequence = sequence
    entryBytes += partition.entries.count * CountEntry.stride
    let key = FilterFormat.partitionKey(part.place)
    try partition.encode(key: key).withBytes { (bytes) throws(EmbeddingError) in
      try transaction.put(key, bytes, in: tree)
    }
  }

  /// Makes the state valid, after the last chunk.
  func finish(in transaction: borrowing WriteTransaction) throws(EmbeddingError) {
    guard let format = try reader.finish() else { return }
    var record = FilterRecord(format: format)
    record.lastRewrite = sequence
    record.entryBytes = UInt64(entryBytes)
    try record.encode().withBytes { (bytes) throws(EmbeddingError) in
      try transaction.put(FilterFormat.recordKey, bytes, in: tree)
    }
  }
}

extension AdmissionFilter {
  /// The filter whose state the chunks are; nothing of it is in a commit, nor will be: for stores
  /// in memory.
  convenience init?(
    _ admission: Admission, stateChunks: some Sequence<[UInt8]>
  ) throws(EmbeddingError) {
    var reader = AdmissionStateReader(admission)
    var parts: [AdmissionStateReader.Part] = []
    for chunk in stateChunks {
      let part = try chunk.withBytes {
        (bytes) throws(EmbeddingError) -> AdmissionStateReader.Part? in try reader.read(bytes)
      }
      if let part { parts.append(part) }
    }
    // Only now is it sure that the chunks are as large as the memory that they ask for.
    self.init(admission, shapes: try reader.finish()?.shapes)
    for part in parts { take(part.partition, part.blocks) }
  }
}
