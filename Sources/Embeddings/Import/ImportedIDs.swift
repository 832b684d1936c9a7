import CKernels
import LMDB
import StorageBase

/// The new ids of an import that are not in the id tree yet, in the order of their rows.
///
/// They go into the tree in long runs in the order of its keys: the first run of a fresh table is
/// appended, which packs the pages full, and a later one meets each page of the tree once. Until
/// then they are found here, by open addressing.
///
/// An id costs 8 bytes, 8 to 16 in the index, 32 for a moment while the run is sorted, and in a
/// table of byte-string ids its length and 8 bytes.
struct ImportedIDs: ~Copyable {
  private let storage: TableStorage
  private let limits: ImportLimits
  /// The row of the first id here; the others follow.
  private var firstRow: UInt64
  /// The ids' keys, in the order of their rows.
  private var keys: [UInt64] = []
  /// Byte-string ids, one after the other, and where each ends.
  private var bytes: [UInt8] = []
  private var ends: [Int] = []
  /// Index of an id + 1 in the low 24 bits, 8 bits of its hash above them; 0 where there is none.
  private var places: [UInt32]

  init(storage: TableStorage, limits: ImportLimits, firstRow: UInt64) {
    self.storage = storage
    self.limits = limits
    self.firstRow = firstRow
    places = [UInt32](repeating: 0, count: 1 << 10)
  }

  /// Whether the run must go into the tree before ids are added.
  var isFull: Bool { keys.count >= limits.idCount || bytes.count >= limits.idBytes }

  private func bytes(_ index: Int) -> Range<Int> {
    (index == 0 ? 0 : ends[index - 1])..<ends[index]
  }

  // MARK: Adding

  /// Adds the ids at `positions` of a batch, each only once, and appends the positions of those that
  /// were not here to `fresh`.
  ///
  /// - Parameters:
  ///   - keys: the keys of the batch's ids from `first` on.
  ///   - positions: positions in the batch, rising.
  mutating func add(
    _ ids: UnsafeIDs, keys batchKeys: [UInt64], first: Int, positions: [UInt32],
    fresh: inout [UInt32]
  ) {
    grow(toHold: keys.count + positions.count)
    let mask = UInt64(self.places.count - 1)
    // Out of `self` meanwhile, which is compared with on the way.
    var places: [UInt32] = []
    swap(&places, &self.places)
    defer { swap(&places, &self.places) }
    places.withUnsafeMutableBufferPointer { places in
      for k in positions.indices {
        if k + Self.ahead < positions.count {
          let hash = RowKey.hash(batchKeys[Int(positions[k + Self.ahead]) - first])
          ck_prefetch(places.baseAddress.unsafelyUnwrapped + Int(hash & mask))
        }
        let position = Int(positions[k])
        let key = batchKeys[position - first]
        let hash = RowKey.hash(key)
        let tag = UInt32(truncatingIfNeeded: hash >> 56) << 24
        var place = Int(hash & mask)
        var isHere = false
        while places[place] != 0 {
          if places[place] & 0xff00_0000 == tag {
            let index = Int(places[place] & 0x00ff_ffff) - 1
            if keys[index] == key && hasBytes(of: ids, position, index) {
              isHere = true
              break
            }
          }
          place = (place + 1) & Int(mask)
        }
        if isHere { continue }
        keys.append(key)
        places[place] = tag | UInt32(keys.count)
        if storage.idType == .bytes {
          bytes.append(contentsOf: ids.bytes(position))
          ends.append(bytes.count)
        }
        fresh.append(positions[k])
      }
    }
  }

  private func hasBytes(of ids: UnsafeIDs, _ position: Int, _ index: Int) -> Bool {
    guard storage.idType == .bytes else { return true }
    return bytes.withUnsafeBytes {
      isEqual(ids.bytes(position), UnsafeRawBufferPointer(rebasing: $0[bytes(index)]))
    }
  }

  /// Makes the index large enough to stay at most half full.
  private mutating func grow(toHold count: Int) {
    guard places.count < 2 * count else { return }
    var size = places.count
    while size < 2 * count { size *= 2 }
    places = [UInt32](repeating: 0, count: size)
    places.withUnsafeMutableBufferPointer { places in
      for (index, key) in keys.enumerated() {
        if index + Self.ahead < keys.count {
          let hash = RowKey.hash(keys[index + Self.ahead])
          ck_prefetch(
            places.baseAddress.unsafelyUnwrapped + (Int(truncatingIfNeeded: hash) & (size - 1)))
        }
        let hash = RowKey.hash(key)
        var place = Int(truncatingIfNeeded: hash) & (size - 1)
        while places[place] != 0 { place = (place + 1) & (size - 1) }
        places[place] = UInt32(truncatingIfNeeded: hash >> 56) << 24 | UInt32(index + 1)
      }
    }
  }

  /// The places lie anywhere in memory: how many to ask for ahead.
  private static let ahead = 16

  // MARK: Entering

  /// Moves all ids into the id tree, which holds none of them yet.
  ///
  /// - Parameter ready: called when the first are in order, before the transaction is used.
  mutating func enter(
    in transaction: borrowing WriteTransaction, ready: () throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    guard !keys.isEmpty else { return try ready() }
    // The index is done with.
    places = []
    var parts = parts()
    radixSort(&parts[0])
    try ready()
    let isEmpty = try transaction.statistics(of: storage.ids).entries == 0
    for k in parts.indices {
      // One part is entered while the next is sorted.
      var (part, next): ([KeyedIndex], [KeyedIndex]) = ([], [])
      swap(&part, &parts[k])
      if k + 1 < parts.count { swap(&next, &parts[k + 1]) }
      var failure: EmbeddingError?
      func sort() { radixSort(&next) }
      func enter() {
        do throws(EmbeddingError) {
          switch storage.idType {
          case .int64: try edit(part, in: transaction)
          case .bytes where isEmpty: try append(part, in: transaction)
          case .bytes: try merge(part, in: transaction)
          }
        } catch { failure = error }
      }
      concurrently(sort, enter)
      if let failure { throw failure }
      if k + 1 < parts.count { swap(&next, &parts[k + 1]) }
    }
    firstRow += UInt64(keys.count)
    keys.removeAll()
    bytes.removeAll()
    ends.removeAll()
    places = [UInt32](repeating: 0, count: 1 << 10)
  }

  /// The ids in eight parts, each of lower tree keys than the next, and in the order of their rows.
  private func parts() -> [[KeyedIndex]] {
    var parts = [[KeyedIndex]](repeating: [], count: 8)
    for k in parts.indices { parts[k].reserveCapacity(keys.count / 7) }
    for (index, key) in keys.enumerated() {
      let treeKey = storage.treeKey(key)
      parts[Int(treeKey >> 61)].append(KeyedIndex(key: treeKey, index: UInt32(index)))
    }
    return parts
  }

  /// Puts the Int64 ids of a part among those of the tree, or behind them.
  private borrowing func edit(
    _ part: [KeyedIndex], in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    try storage.editIDs(in: transaction) { (editor, tree) throws(EmbeddingError) in
      for id in part {
        try editor.set(id.key, row: firstRow + UInt64(id.index), in: &tree)
        try editor.writeAhead(beyond: limits.bytesAhead, in: transaction)
      }
    }
  }

  /// Appends the entries of a part to a tree of byte strings that holds nothing above it.
  private borrowing func append(
    _ part: [KeyedIndex], in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    try transaction.withAppender(storage.ids) { (tree) throws(EmbeddingError) in
      try forEachEntry(part, in: transaction) { (key, value) throws(EmbeddingError) in
        try tree.append(key, value)
      }
    }
    try transaction.writeAhead(storage.ids)
  }

  /// Puts the entries of a part among those of a tree of byte strings.
  private borrowing func merge(
    _ part: [KeyedIndex], in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) {
    var puts = 0
    try transaction.withAppender(storage.ids) { (tree) throws(EmbeddingError) in
      try forEachEntry(part, isMerging: true, in: transaction) {
        (key, value) throws(EmbeddingError) in
        try tree.put(key, value)
        // Each may have changed a page.
        puts += 1
        if puts % 16_384 == 0 { try transaction.writeAhead(storage.ids) }
      }
    }
  }

  /// Calls `body` with the entries of a part of byte strings, their keys rising.
  ///
  /// - Parameter isMerging: whether an entry begins with what the tree has under its key.
  private borrowing func forEachEntry(
    _ part: [KeyedIndex], isMerging: Bool = false, in transaction: borrowing WriteTransaction,
    _ body: (UInt64, UnsafeRawBufferPointer) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    var value: [UInt8] = []
    var start = 0
    while start < part.count {
      let end = endOfRun(part, start)
      value.removeAll(keepingCapacity: true)
      if isMerging, let there = try transaction.get(part[start].key, in: storage.ids) {
        value.append(contentsOf: there)
      }
      for k in start..<end { append(Int(part[k].index), to: &value) }
      try value.withBytes { (value) throws(EmbeddingError) in try body(part[start].key, value) }
      start = end
    }
  }

  /// The end of the ids of one key, which share an entry, from `start` on.
  private borrowing func endOfRun(_ part: [KeyedIndex], _ start: Int) -> Int {
    var end = start + 1
    while end < part.count, part[end].key == part[start].key { end += 1 }
    return end
  }

  /// Appends what an entry says of a byte-string id.
  private borrowing func append(_ index: Int, to value: inout [UInt8]) {
    let row = firstRow + UInt64(index)
    bytes.withUnsafeBytes {
      IDEntries.append(
        row: row, bytes: UnsafeRawBufferPointer(rebasing: $0[bytes(index)]), to: &value)
    }
  }
}
