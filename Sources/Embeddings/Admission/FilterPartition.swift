import StorageBase

/// A part of a filter's state, as it is stored.
///
///     +----------+----------+-----------+---------+---------------------------+----------+
///     | sequence | distinct | at        | nonzero | blocks, or entries of     | checksum |
///     | u64      | ids u64  | threshold | cells   | hash u64, count u32       | u64      |
///     +----------+----------+-----------+---------+---------------------------+----------+
///
/// It contains all of the journal up to record `sequence`. The checksum is an XXH3 with the key as
/// its seed.
struct FilterPartition {
  var sequence: UInt64 = 0
  var counts = FilterCounts()
  /// The blocks of a Bloom filter.
  var words: [UInt64] = []
  /// The entries of an exact counter, by hash.
  var entries: [CountEntry] = []

  private static let headerBytes = 32
  /// Bytes of a stored partition beside its payload.
  static let frameBytes = headerBytes + 8
  static let mostEntries = FilterFormat.partitionBytes / CountEntry.stride

  /// A partition without sightings.
  init(_ format: FilterFormat, _ blocks: FilterFormat.Blocks?) {
    guard let blocks else { return }
    words = [UInt64](
      repeating: 0, count: blocks.count * format.shapes[blocks.layer].blockBytes / 8)
  }

  /// Reads what is stored under `key`.
  init(
    _ stored: UnsafeRawBufferPointer, key: UInt64, format: FilterFormat,
    blocks: FilterFormat.Blocks?
  ) throws(EmbeddingError) {
    guard stored.count >= Self.headerBytes + 8,
      xxh3(UnsafeRawBufferPointer(rebasing: stored.dropLast(8)), seed: key)
        == stored.loadUnaligned(fromByteOffset: stored.count - 8, as: UInt64.self)
    else { throw corruptFilter("a partition does not match its checksum") }
    let sequence = stored.loadUnaligned(as: UInt64.self)
    try self.init(
      state: UnsafeRawBufferPointer(rebasing: stored[8..<stored.count - 8]), format: format,
      blocks: blocks, sequence: sequence)
  }

  /// Reads counts and payload: what a stored partition and a chunk of a snapshot have in common.
  init(
    state: UnsafeRawBufferPointer, format: FilterFormat, blocks: FilterFormat.Blocks?,
    sequence: UInt64
  ) throws(EmbeddingError) {
    self.sequence = sequence
    func number(_ i: Int) -> Int {
      Int(truncatingIfNeeded: state.loadUnaligned(fromByteOffset: 8 * i, as: UInt64.self))
    }
    guard state.count >= 24 else { throw corruptFilter("a partition is too short") }
    counts = FilterCounts(
      distinctIDs: number(0), idsAtThreshold: number(1), nonzeroCells: number(2))
    let payload = UnsafeRawBufferPointer(rebasing: state[24...])
    if let blocks {
      try readBlocks(payload, format.shapes[blocks.layer], blocks.count, maximum: format.maximum)
    } else {
      try readEntries(payload, maximum: format.maximum)
    }
  }

  private mutating func readBlocks(
    _ payload: UnsafeRawBufferPointer, _ shape: LayerShape, _ count: Int, maximum: UInt32
  ) throws(EmbeddingError) {
    guard payload.count == count * shape.blockBytes else {
      throw corruptFilter("a partition has a wrong size")
    }
    words = [UInt64](unsafeUninitializedCapacity: payload.count / 8) { words, count in
      UnsafeMutableRawBufferPointer(words).copyMemory(from: payload)
      count = payload.count / 8
    }
    var nonzero = 0
    var isValid = true
    words.withUnsafeBytes { bytes in
      for block in 0..<count {
        let cells = shape.nonzeroCells(
          bytes.baseAddress! + block * shape.blockBytes, maximum: maximum)
        nonzero += cells.count
        isValid = isValid && cells.isValid
      }
    }
    // The cells say nothing of the number of ids; but sums must not overflow.
    let ids = 0...1 << 40
    guard isValid, nonzero == counts.nonzeroCells, ids.contains(counts.distinctIDs),
      ids.contains(counts.idsAtThreshold)
    else { throw corruptFilter("a partition contradicts itself") }
  }

  private mutating func readEntries(
    _ payload: UnsafeRawBufferPointer, maximum: UInt32
  ) throws(EmbeddingError) {
    guard payload.count % CountEntry.stride == 0 else {
      throw corruptFilter("a partition has a wrong size")
    }
    entries.reserveCapacity(payload.count / CountEntry.stride)
    var full = 0
    for at in stride(from: 0, to: payload.count, by: CountEntry.stride) {
      let entry = CountEntry(
        hash: payload.loadUnaligned(fromByteOffset: at, as: UInt64.self),
        count: payload.loadUnaligned(fromByteOffset: at + 8, as: UInt32.self))
      guard (1...maximum).contains(entry.count), entries.last.map({ $0.hash < entry.hash }) ?? true
      else { throw corruptFilter("a partition contradicts itself") }
      if entry.count == maximum { full += 1 }
      entries.append(entry)
    }
    let expected = FilterCounts(
      distinctIDs: entries.count, idsAtThreshold: full, nonzeroCells: entries.count)
    guard counts == expected else { throw corruptFilter("a partition contradicts itself") }
  }

  // MARK: Writing

  /// Counts and payload.
  var state: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(40 + words.count * 8 + entries.count * CountEntry.stride)
    appendState(to: &bytes)
    return bytes
  }

  private func appendState(to bytes: inout [UInt8]) {
    for number in [counts.distinctIDs, counts.idsAtThreshold, counts.nonzeroCells] {
      withUnsafeBytes(of: UInt64(number)) { bytes.append(contentsOf: $0) }
    }
    words.withUnsafeBytes { bytes.append(contentsOf: $0) }
    for entry in entries {
      withUnsafeBytes(of: entry.hash) { bytes.append(contentsOf: $0) }
      withUnsafeBytes(of: entry.count) { bytes.append(contentsOf: $0) }
    }
  }

  func encode(key: UInt64) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(48 + words.count * 8 + entries.count * CountEntry.stride)
    withUnsafeBytes(of: sequence) { bytes.append(contentsOf: $0) }
    appendState(to: &bytes)
    let checksum = bytes.withUnsafeBytes { xxh3($0, seed: key) }
    withUnsafeBytes(of: checksum) { bytes.append(contentsOf: $0) }
    return bytes
  }

  /// Cuts the entries into pieces of at most about 32 KiB, none through the middle of a place.
  func pieces(maximum: UInt32) -> [FilterPartition] {
    guard entries.count > Self.mostEntries else { return [self] }
    let size = entries.count / (entries.count / Self.mostEntries + 1) + 1
    var pieces: [FilterPartition] = []
    var start = 0
    while start < entries.count {
      let end = Self.end(entries, from: start, count: size)
      var piece = self
      piece.setEntries(Array(entries[start..<end]), maximum: maximum)
      pieces.append(piece)
      start = end
    }
    return pieces
  }

  /// The end of a run of about `count` entries.
  static func end(_ entries: [CountEntry], from start: Int, count: Int) -> Int {
    var end = min(start + count, entries.count)
    while end < entries.count, entries[end].place == entries[end - 1].place { end += 1 }
    return end
  }

  /// Replaces the entries, and counts them.
  mutating func setEntries(_ entries: [CountEntry], maximum: UInt32) {
    self.entries = entries
    counts = FilterCounts(
      distinctIDs: entries.count, idsAtThreshold: entries.count { $0.count == maximum },
      nonzeroCells: entries.count)
  }

  // MARK: Applying the journal

  /// Adds sightings, in their order, of ids that are in this partition.
  mutating func apply(
    _ journal: some Sequence<JournalEntry>, format: FilterFormat, blocks: FilterFormat.Blocks?
  ) {
    guard let blocks else { return applyToEntries(journal, maximum: format.maximum) }
    let shape = format.shapes[blocks.layer]
    words.withUnsafeMutableBytes { bytes in
      for entry in journal {
        let place = shape.place(entry.hash)
        _ = shape.add(
          entry.layerTimes,
          to: bytes.baseAddress! + (place.block - blocks.first) * shape.blockBytes, place.draw,
          maximum: format.maximum, counts: &counts)
      }
    }
  }

  private mutating func applyToEntries(_ journal: some Sequence<JournalEntry>, maximum: UInt32) {
    let added = journal.sorted { $0.hash < $1.hash }
    var merged: [CountEntry] = []
    merged.reserveCapacity(entries.count + added.count)
    var old = entries[...]
    for entry in added {
      while let first = old.first, first.hash <= entry.hash {
        merged.append(first)
        old.removeFirst()
      }
      if merged.last?.hash != entry.hash { merged.append(CountEntry(hash: entry.hash, count: 0)) }
      let last = merged.count - 1
      merged[last].count += min(entry.times, maximum - merged[last].count)
    }
    merged.append(contentsOf: old)
    setEntries(merged, maximum: maximum)
  }
}
