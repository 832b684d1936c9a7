import CKernels
import LMDB
import StorageBase

/// Lookups that ask the last commit alone: where nothing has changed since, and the cache would
/// answer few of the ids, to look there first costs a third of the time.
extension EmbeddingTable {
  /// Looks `ids` up in the last commit alone, if that is right and likely to be faster; else returns
  /// false. A read-only table has no cache.
  func serveWithoutCache(
    _ ids: UnsafeIDs, into output: UnsafeMutablePointer<Float>
  ) throws(EmbeddingError) -> Bool {
    if !database.isReadOnly {
      // A cache that can grow is to be filled: who gave it the room wants rows there.
      guard ids.count >= CacheAdvice.leastBatch, cache.counts.areAllCommitted, !cache.canGrow,
        core.cacheAdvice.takeBatchWithout()
      else { return false }
    }
    return try core.scratch.withScratch { (scratch) throws(EmbeddingError) in
      try database.gate.shared { () throws(EmbeddingError) in
        try database.checkOpen()
        let start = SuspendingClock.now
        // Before the transaction begins, which then has all that there is.
        guard database.isReadOnly || cache.counts.areAllCommitted else { return false }
        try serveCommitted(ids, scratch, into: output)
        core.cacheAdvice.note(rows: ids.count, time: SuspendingClock.now - start)
        return true
      }
    }
  }

  /// Copies the vectors of `ids` as they stand in the last commit; nothing enters the cache.
  func serveCommitted(
    _ ids: UnsafeIDs, _ scratch: BatchScratch, into output: UnsafeMutablePointer<Float>
  ) throws(EmbeddingError) {
    let dimension = storage.layout.dimension
    scratch.begin(ids.count)
    let sharing = shared == nil ? nil : scratch.sharing
    let reads = core.coldReads.begin(misses: ids.count)
    defer { core.coldReads.end(reads) }
    try database.environment.read { (transaction) throws(EmbeddingError) in
      let lease = try core.locations.lease(transaction) { (transaction) throws(EmbeddingError) in
        try database.tableRecord(name, in: transaction)
      }
      if let numbers = lease.numbers, let addresses = lease.addresses, let int64s = ids.int64s {
        copyLocated(
          int64s, ids.count, scratch, numbers, addresses, asksAhead: reads.asksAhead, into: output)
      } else {
        scratch.missAll(ids)
      }
      _ = try forEachDescended(
        ids, scratch, lease, transaction, asksAhead: reads.asksAhead
      ) { i, stored in
        let target = output + i * dimension
        if let stored {
          stored.block.copyVector(stored.index, to: target)
        } else {
          readAbsent(i, scratch.key(i, of: ids).key, target, sharing)
        }
        return true
      }
    }
    _ = try readShared(scratch, into: output)
  }

  /// Copies the vectors of the ids whose row and block are known, and notes the others as misses.
  ///
  /// What an id needs comes from four places in memory one after the other, each of which says where
  /// the next is. So the ids pass in groups: while one is copied, the blocks of the next are on their
  /// way, the block addresses of the one behind it, and the row numbers of the third. The blocks
  /// stand on pages of 4 KiB, most of which the processor has to look up in memory: a loop that does
  /// nothing else keeps several of those searches going at once.
  private func copyLocated(
    _ ids: UnsafePointer<Int64>, _ count: Int, _ scratch: BatchScratch, _ numbers: RowNumbers,
    _ addresses: BlockAddresses.Lease, asksAhead: Bool, into output: UnsafeMutablePointer<Float>
  ) {
    let group = Self.group
    let layout = storage.layout
    let (dimension, vectorBytes) = (layout.dimension, 4 * layout.dimension)
    let (keysOffset, vectorsOffset) = (layout.keysOffset, layout.vectorsOffset)
    let (hashes, misses) = (scratch.hashes, scratch.misses)
    // Unsafe: rings of four groups, each place written before it is read.
    let mask = 4 * group - 1
    let rows = scratch.ring.bindMemory(to: UInt64.self, capacity: 4 * group)
    let keys = (scratch.ring + 4 * group * 8).bindMemory(
      to: UnsafeRawPointer?.self, capacity: 4 * group)
    let vectors = (scratch.ring + 8 * group * 8).bindMemory(
      to: UnsafeRawPointer.self, capacity: 4 * group)
    PendingCopies.with(dimension: dimension) { copies in
      var start = 0
      while start < count &+ 3 &* group {
        for k in part(start, count) {
          let hash = RowKey.hash(UInt64(bitPattern: ids[k]))
          hashes[k] = hash
          numbers.prefetch(hash)
        }
        for k in part(start &- group, count) {
          let row = numbers.candidate(hashes[k])
          rows[k & mask] = row
          if row != RowNumbers.noRow { addresses.prefetch(layout.place(ofRow: row).block) }
        }
        let atBlock = part(start &- 2 &* group, count)
        for k in atBlock {
          let row = rows[k & mask]
          let (block, index) = layout.place(ofRow: row)
          let start = row == RowNumbers.noRow ? nil : addresses[block]
          keys[k & mask] = start.map { $0 + (keysOffset &+ 8 &* index) }
          vectors[k & mask] =
            (start ?? UnsafeRawPointer(output)) + (vectorsOffset &+ vectorBytes &* index)
          if asksAhead, let start { layout.askAhead(index, of: start) }
        }
        for k in atBlock { if let key = keys[k & mask] { ck_prefetch(key) } }
        for k in atBlock where keys[k & mask] != nil {
          let vector = vectors[k & mask]
          var offset = 0
          while offset < vectorBytes {
            ck_prefetch(vector + offset)
            offset &+= 64
          }
          // Vectors stand at any address: the last byte may be on one line more.
          ck_prefetch(vector + (vectorBytes &- 1))
        }
        for k in part(start &- 3 &* group, count) {
          let key = UInt64(bitPattern: ids[k])
          let target = output + k &* dimension
          if let stored = keys[k & mask], stored.loadUnaligned(as: UInt64.self) == key {
            copies.add(vectors[k & mask].assumingMemoryBound(to: Float.self), to: target)
          } else if let vector = otherCandidate(hashes[k], key, numbers, addresses) {
            copies.add(vector, to: target)
          } else {
            misses.append(k)
          }
        }
        start &+= group
      }
    }
  }

  /// Ids that are at one stage at a time.
  private static var group: Int { 16 }

  /// The group from `start` on, as far as there are ids; none before the first.
  @inline(__always)
  private func part(_ start: Int, _ count: Int) -> Range<Int> {
    guard start >= 0, start < count else { return 0..<0 }
    return Range(uncheckedBounds: (start, min(start &+ Self.group, count)))
  }

  /// The vector of a key in another than the first of the rows that it may have.
  @inline(never)
  private func otherCandidate(
    _ hash: UInt64, _ key: UInt64, _ numbers: RowNumbers, _ addresses: BlockAddresses.Lease
  ) -> UnsafePointer<Float>? {
    let layout = storage.layout
    var candidates = numbers.candidates(hash)
    while let row = candidates.next() {
      let (number, index) = layout.place(ofRow: row)
      if let block = addresses[number], layout.key(index, of: block) == key {
        return layout.vector(index, of: block)
      }
    }
    return nil
  }
}

extension BlockLayout {
  @inline(__always)
  fileprivate func key(_ index: Int, of block: UnsafeRawPointer) -> UInt64 {
    block.loadUnaligned(fromByteOffset: keysOffset &+ 8 &* index, as: UInt64.self)
  }

  /// The vector of a row, for the copying kernel, which takes it at any alignment.
  @inline(__always)
  fileprivate func vector(_ index: Int, of block: UnsafeRawPointer) -> UnsafePointer<Float> {
    // Blocks stand at multiples of 8, and what precedes the vectors takes whole words.
    (block + (vectorsOffset &+ 4 &* dimension &* index)).assumingMemoryBound(to: Float.self)
  }
}
