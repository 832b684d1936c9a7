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
  private func copyLocated(
    _ ids: UnsafePointer<Int64>, _ count: Int, _ scratch: BatchScratch, _ numbers: RowNumbers,
    _ addresses: BlockAddresses.Lease, asksAhead: Bool, into output: UnsafeMutablePointer<Float>
  ) {
    // Where rows come from a disk, piece by piece: a piece's blocks are asked for all at once.
    let pieceSize = asksAhead ? 1024 : max(1, count)
    // Unsafe: the kernel reads the memory of both.
    withExtendedLifetime((numbers, addresses)) {
      var locations = ck_locations(numbers, addresses, storage.layout)
      scratch.misses.fill { misses in
        var missCount = 0
        for start in stride(from: 0, to: count, by: pieceSize) {
          let piece = ids + start
          let length = min(pieceSize, count - start)
          if asksAhead { askForBlocks(piece, length, numbers, addresses) }
          let others = misses + missCount
          let added = ck_copy_located(
            &locations, piece, length, output + start * storage.layout.dimension, others)
          for k in 0..<added { others[k] += UInt32(truncatingIfNeeded: start) }
          missCount += added
        }
        return missCount
      }
    }
    for i in scratch.misses.positions {
      scratch.hashes[Int(i)] = RowKey.hash(UInt64(bitPattern: ids[Int(i)]))
    }
  }

  /// Asks the system for the pages where the ids' rows probably stand.
  private func askForBlocks(
    _ ids: UnsafePointer<Int64>, _ count: Int, _ numbers: RowNumbers,
    _ addresses: BlockAddresses.Lease
  ) {
    let layout = storage.layout
    for i in 0..<count {
      var candidates = numbers.candidates(RowKey.hash(UInt64(bitPattern: ids[i])))
      guard let row = candidates.next() else { continue }
      let (block, index) = layout.place(ofRow: row)
      if let start = addresses[block] { layout.askAhead(index, of: start) }
    }
  }
}

extension ck_locations {
  /// What the kernel reads; good as long as both live, and the transaction of the addresses.
  init(_ numbers: RowNumbers, _ addresses: BlockAddresses.Lease, _ layout: BlockLayout) {
    let rowsPerBlock = UInt64(layout.rowsPerBlock)
    self.init(
      buckets: numbers.start, bucket_count: UInt64(numbers.shape.bucketCount),
      row_bits: UInt32(numbers.shape.rowBits), is_wide: numbers.shape.isWide ? 1 : 0,
      chunks: addresses.chunks, block_capacity: addresses.capacity,
      chunk_shift: UInt32(BlockAddresses.Lease.chunkShift),
      page_bits: UInt32(BlockAddresses.pageBits), tag: addresses.tag,
      page_offset: UInt64(BlockAddresses.pageOffset), rows_per_block: rowsPerBlock,
      inverse: UInt64.max / rowsPerBlock &+ 1, keys_offset: UInt64(layout.keysOffset),
      vectors_offset: UInt64(layout.vectorsOffset), dimension: UInt64(layout.dimension))
  }
}
