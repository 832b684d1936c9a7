import CKernels

extension RowShard {
  /// How many rows ahead the memory of a row is asked for. Its place in the index is asked for twice
  /// as far ahead.
  private static var ahead: Int { 16 }

  /// Finds the rows of a part of a batch, with the memory of those ahead on its way; calls `body`
  /// with each batch position, key, and slot or -1, in batch order.
  ///
  /// - Parameters:
  ///   - prefetchedFloats: the floats of each row that `body` will read.
  ///   - likely: where the rows very likely are, by batch position; nil to look for them in the index.
  ///   - next: the index of the shard whose part of the batch follows, and the end of that part: its
  ///     memory is asked for as well.
  ///   - prepare: called with a batch position some rows before `body` is, unless its id is not here.
  @inline(__always)
  mutating func forEachSlot(
    in range: Range<Int>, of ids: UnsafeIDs, _ scratch: BatchScratch, prefetchedFloats: Int,
    likely: UnsafePointer<FoundSlot>? = nil, next: (index: RowIndex, end: Int)? = nil,
    bodyInserts: Bool, prepare: (_ position: Int) -> Void,
    _ body: (_ rows: inout RowShard, _ position: Int, _ key: RowKey, _ slot: Int) -> Void
  ) {
    let ahead = Self.ahead
    let order = scratch.order
    let hashes = scratch.orderedHashes
    withUnsafeTemporaryAllocation(of: Int.self, capacity: ahead) { candidates in
      let candidates = candidates.baseAddress.unsafelyUnwrapped
      let (start, end) = (range.lowerBound, range.upperBound)
      if likely == nil {
        for k in start..<min(start &+ 2 &* ahead, end) { index.prefetch(hashes[k]) }
      }
      for k in start..<min(start &+ ahead, end) {
        let slot = near(k, hashes, order, likely, prefetchedFloats)
        candidates[k & (ahead &- 1)] = slot
        if slot >= 0 { prepare(Int(order[k])) }
      }
      var k = start
      while k < end {
        let hash = hashes[k]
        var slot = candidates[k & (ahead &- 1)]
        if likely == nil, k &+ 2 &* ahead < end {
          index.prefetch(hashes[k &+ 2 &* ahead])
        } else if let next, k &+ 2 &* ahead < next.end {
          next.index.prefetch(hashes[k &+ 2 &* ahead])
        }
        if k &+ ahead < end {
          let slot = near(k &+ ahead, hashes, order, likely, prefetchedFloats)
          candidates[k & (ahead &- 1)] = slot
          if slot >= 0 { prepare(Int(order[k &+ ahead])) }
        }
        let i = Int(order[k])
        let key = RowKey(
          hash: hash,
          bytes: ids.bytes == nil
            ? UnsafeRawBufferPointer(start: nil, count: 0) : ids.bytes(i))
        // The body may have put rows in or out since the candidate was found.
        if slot < 0 {
          if bodyInserts { slot = find(key) }
        } else if !header(slot).pointee.flags.contains(.occupied) || !matches(slot, key) {
          slot = find(key)
        }
        body(&self, i, key, slot)
        k &+= 1
      }
    }
  }

  /// The candidate for the id at a place in the shard's order, whose memory is asked for.
  @inline(__always)
  private func near(
    _ k: Int, _ hashes: UnsafePointer<UInt64>, _ order: UnsafePointer<UInt32>,
    _ likely: UnsafePointer<FoundSlot>?, _ floatCount: Int
  ) -> Int {
    var slot: Int
    if let likely {
      slot = likely[Int(order[k])].slot
      // The cache may have been emptied since.
      if slot &>> layout.rowsPerSlabShift >= slabCount { slot = -1 }
    } else {
      slot = index.candidate(hashes[k])
    }
    if slot >= 0 { prefetchRow(slot, floatCount: floatCount) }
    return slot
  }
}
