import CKernels
import LMDB
import StorageBase

/// A row as it stands in the last commit.
struct StoredRow {
  let row: UInt64
  let block: BlockView
  let index: Int
}

/// A row that an id of a batch may have, on its way from memory.
private struct Probe {
  var candidates: RowNumbers.Candidates
  var row = Self.none
  var block: UInt64 = 0
  var index = 0
  var address: UnsafeRawPointer?

  static let none = UInt64.max
}

extension EmbeddingTable {
  /// Reads the batch's misses from the last commit, in one transaction, and calls `body` for each:
  /// those whose row is known first, then those that are looked for in the id tree, in its order.
  ///
  /// - Parameters:
  ///   - bytes: how much of a row's vector is to be brought close before `body` is called.
  ///   - body: gets the batch position and the row, or nil where there is none; returns false to
  ///     give up. Equal ids come in batch order, unless one was found in the tree meanwhile.
  /// - Returns: false where `body` gave up.
  func forEachStored(
    _ ids: UnsafeIDs, _ scratch: BatchScratch, prefetching bytes: Int,
    _ body: (_ position: Int, _ stored: StoredRow?) throws(EmbeddingError) -> Bool
  ) throws(EmbeddingError) -> Bool {
    let reads = core.coldReads.begin(misses: scratch.misses.count)
    defer { core.coldReads.end(reads) }
    return try database.environment.read { (transaction) throws(EmbeddingError) in
      let lease = try core.locations.lease(transaction) { (transaction) throws(EmbeddingError) in
        try database.tableRecord(name, in: transaction)
      }
      if let numbers = lease.numbers, let int64s = ids.int64s {
        let isDone = try forEachLocated(
          int64s, scratch, numbers, lease.addresses, transaction, prefetching: bytes,
          asksAhead: reads.asksAhead, body)
        guard isDone else { return false }
      }
      return try forEachDescended(
        ids, scratch, lease, transaction, asksAhead: reads.asksAhead, body)
    }
  }

  /// The same for the misses of which nothing is known, by a descent each in the id tree.
  func forEachDescended(
    _ ids: UnsafeIDs, _ scratch: BatchScratch, _ lease: RowLocations.Lease,
    _ transaction: borrowing ReadTransaction, asksAhead: Bool,
    _ body: (_ position: Int, _ stored: StoredRow?) throws(EmbeddingError) -> Bool
  ) throws(EmbeddingError) -> Bool {
    guard !scratch.misses.isEmpty else { return true }
    noteDescents(scratch.misses.count)
    var ahead = RowsAhead(asksAhead: asksAhead)
    let isDone = try storage.forEachRow(
      of: scratch.sortedMisses(by: storage), ids, in: transaction
    ) { (i, row) throws(EmbeddingError) in
      guard let row else { return try ahead.add(i, nil, body) }
      lease.numbers?.store(scratch.hashes[i], row: row)
      let place = storage.layout.place(ofRow: row)
      var block = lease.addresses.flatMap { blockView(place.block, at: $0[place.block]) }
      if block == nil { block = try storage.block(place.block, in: transaction) }
      let found = block.unsafelyUnwrapped
      lease.addresses?.store(place.block, at: found.bytes.baseAddress.unsafelyUnwrapped)
      return try ahead.add(i, StoredRow(row: row, block: found, index: place.index), body)
    }
    guard isDone else { return false }
    return try ahead.finish(body)
  }

  @inline(__always)
  private func blockView(_ number: UInt64, at address: UnsafeRawPointer?) -> BlockView? {
    address.map {
      BlockView(
        layout: storage.layout, number: number,
        bytes: UnsafeRawBufferPointer(start: $0, count: storage.layout.byteCount))
    }
  }

  /// The same for the misses whose row is known; the others stay in `scratch.misses`.
  ///
  /// What a miss needs comes from four places in memory one after the other, each of which says
  /// where the next is. While one id is at its end, the lines of those behind it are on their way:
  /// 8 ids behind the block, 16 the block's address, 24 the bucket of row numbers.
  private func forEachLocated(
    _ ids: UnsafePointer<Int64>, _ scratch: BatchScratch, _ numbers: RowNumbers,
    _ addresses: BlockAddresses.Lease?, _ transaction: borrowing ReadTransaction,
    prefetching bytes: Int, asksAhead: Bool,
    _ body: (Int, StoredRow?) throws(EmbeddingError) -> Bool
  ) throws(EmbeddingError) -> Bool {
    let ahead = 8
    let ring = 4 * ahead
    let hashes = scratch.hashes
    let layout = storage.layout
    // In batch order, in which their vectors are written one behind the other.
    let misses = scratch.takeMissesInBatchOrder()
    // Unsafe: a ring of probes, each written before it is read.
    let probes = scratch.ring.bindMemory(to: Probe.self, capacity: ring)
    for k in 0..<misses.count + 3 * ahead {
      if k < misses.count { numbers.prefetch(hashes[Int(misses[k])]) }
      let atNumber = k - ahead
      if atNumber >= 0 && atNumber < misses.count {
        var probe = Probe(candidates: numbers.candidates(hashes[Int(misses[atNumber])]))
        if let row = probe.candidates.next() {
          (probe.block, probe.index) = layout.place(ofRow: row)
          probe.row = row
          addresses?.prefetch(probe.block)
        }
        probes[atNumber & (ring - 1)] = probe
      }
      let atAddress = k - 2 * ahead
      if atAddress >= 0 && atAddress < misses.count {
        let probe = probes + (atAddress & (ring - 1))
        if probe.pointee.row != Probe.none, let address = addresses?[probe.pointee.block] {
          probe.pointee.address = address
          if asksAhead { layout.askAhead(probe.pointee.index, of: address) }
          layout.prefetch(probe.pointee.index, of: address, vectorBytes: bytes)
        }
      }
      let atEnd = k - 3 * ahead
      guard atEnd >= 0 else { continue }
      let i = Int(misses[atEnd])
      if let stored = try verified(
        &probes[atEnd & (ring - 1)], key: UInt64(bitPattern: ids[i]), addresses, transaction)
      {
        guard try body(i, stored) else { return false }
      } else {
        scratch.misses.append(i)
      }
    }
    return true
  }

  /// The row of a key among the candidates of a probe; nil where none of them is.
  @inline(__always)
  private func verified(
    _ probe: inout Probe, key: UInt64, _ addresses: BlockAddresses.Lease?,
    _ transaction: borrowing ReadTransaction
  ) throws(EmbeddingError) -> StoredRow? {
    while probe.row != Probe.none {
      var block = blockView(probe.block, at: probe.address)
      if block == nil { block = try candidateBlock(probe.block, addresses, transaction) }
      if let block, block.key(probe.index) == key {
        return StoredRow(row: probe.row, block: block, index: probe.index)
      }
      probe.address = nil
      probe.row = Probe.none
      if let row = probe.candidates.next() {
        (probe.block, probe.index) = storage.layout.place(ofRow: row)
        probe.row = row
      }
    }
    return nil
  }

  /// The block of a row that may not exist.
  private func candidateBlock(
    _ number: UInt64, _ addresses: BlockAddresses.Lease?,
    _ transaction: borrowing ReadTransaction
  ) throws(EmbeddingError) -> BlockView? {
    if let address = addresses?[number] { return blockView(number, at: address) }
    guard let block = try storage.blockIfPresent(number, in: transaction) else { return nil }
    addresses?.store(number, at: block.bytes.baseAddress.unsafelyUnwrapped)
    return block
  }
}

extension BlockLayout {
  /// Asks for the key and the start of the vector of a row to be brought close.
  @inline(__always)
  func prefetch(_ index: Int, of block: UnsafeRawPointer, vectorBytes: Int) {
    ck_prefetch(block + keysOffset + 8 * index)
    let start = block + vectorsOffset + 4 * dimension * index
    var offset = 0
    while offset < vectorBytes {
      ck_prefetch(start + offset)
      offset += 64
    }
    // Vectors stand at any address: the last byte may be on one line more.
    if vectorBytes > 0 { ck_prefetch(start + vectorBytes - 1) }
  }
}
