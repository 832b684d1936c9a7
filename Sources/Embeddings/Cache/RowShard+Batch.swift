import CKernels

extension RowShard {
  /// Finds the rows of a part of a batch, with the memory of those ahead on its way; calls `body`
  /// with each batch position, key, and slot or -1, in batch order.
  ///
  /// While row `k` is at work, the header and floats of row `k + 8` and the bucket of row `k + 16`
  /// are on their way from memory.
  @inline(__always)
  mutating func forEachSlot(
    in range: Range<Int>, of ids: UnsafeIDs, _ scratch: BatchScratch, prefetchedFloats: Int,
    bodyInserts: Bool,
    _ body: (_ rows: inout RowShard, _ position: Int, _ key: RowKey, _ slot: Int) -> Void
  ) {
    let ahead = 8
    let order = scratch.order
    let hashes = scratch.orderedHashes
    withUnsafeTemporaryAllocation(of: Int.self, capacity: ahead) { candidates in
      let candidates = candidates.baseAddress.unsafelyUnwrapped
      let (start, end) = (range.lowerBound, range.upperBound)
      for k in start..<min(start + 2 * ahead, end) { index.prefetch(hashes[k]) }
      for k in start..<min(start + ahead, end) {
        candidates[k & (ahead - 1)] = near(hashes[k], prefetchedFloats)
      }
      for k in start..<end {
        let hash = hashes[k]
        var slot = candidates[k & (ahead - 1)]
        if k + 2 * ahead < end { index.prefetch(hashes[k + 2 * ahead]) }
        if k + ahead < end {
          candidates[k & (ahead - 1)] = near(hashes[k + ahead], prefetchedFloats)
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
      }
    }
  }

  /// The candidate for `hash`, whose memory is asked for.
  @inline(__always)
  private func near(_ hash: UInt64, _ floatCount: Int) -> Int {
    let slot = index.candidate(hash)
    if slot >= 0 { prefetchRow(slot, floatCount: floatCount) }
    return slot
  }
}
