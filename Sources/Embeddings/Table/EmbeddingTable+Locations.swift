import LMDB
import StorageBase
import Synchronization

/// Row numbers and block addresses in bulk: once enough ids had to be looked for in the trees, a
/// thread goes through the trees in their order, at a hundredth of the time an id.
extension EmbeddingTable {
  /// To be called with the number of ids that a batch looked for in the id tree.
  func noteDescents(_ count: Int) {
    guard core.locations.noteDescents(count) else { return }
    let isStarted = runInBackground { [weak self] in
      var next = LocationFill()
      // The table may go meanwhile, and its database be closed.
      while let table = self {
        do throws(EmbeddingError) {
          guard try table.fillLocations(&next) else { break }
        } catch { break }
      }
      self?.core.locations.endFill(next)
    }
    if !isStarted { core.locations.endFill(LocationFill()) }
  }

  /// Goes on with some entries of the trees: few, since whoever fixes a commit waits for those at
  /// work. Returns false where there are no more.
  private func fillLocations(_ fill: inout LocationFill) throws(EmbeddingError) -> Bool {
    try database.gate.shared { () throws(EmbeddingError) in
      try database.checkOpen()
      return try database.environment.read { (transaction) throws(EmbeddingError) in
        let lease = try core.locations.lease(transaction) { (transaction) throws(EmbeddingError) in
          try database.tableRecord(name, in: transaction)
        }
        if let block = fill.nextBlock, let addresses = lease.addresses {
          fill.nextBlock = try storage.noteAddresses(from: block, in: addresses, transaction)
          return true
        }
        guard let numbers = lease.numbers, let key = fill.nextKey,
          fill.numbers == nil || fill.numbers === numbers, core.locations.hasRoom(in: numbers)
        else { return false }
        fill.numbers = numbers
        fill.nextKey = try storage.noteRowNumbers(from: key, in: numbers, transaction)
        return fill.nextKey != nil
      }
    }
  }
}

/// How far a table's trees were gone through; nil at their ends.
struct LocationFill {
  var nextBlock: UInt64? = 0
  var nextKey: UInt64? = 0
  /// What the numbers went to.
  var numbers: RowNumbers?
}

extension TableStorage {
  private static var entriesAtOnce: Int { 16_384 }

  /// Notes addresses of blocks from `first` on; returns the number of the next one, if any.
  fileprivate func noteAddresses(
    from first: UInt64, in addresses: BlockAddresses.Lease, _ transaction: borrowing ReadTransaction
  ) throws(EmbeddingError) -> UInt64? {
    try transaction.withCursor(blocks) { (cursor) throws(EmbeddingError) in
      var entry = try cursor.seek(atOrAfter: first)
      for _ in 0..<Self.entriesAtOnce {
        guard let (number, value) = entry else { return nil }
        if value.count == layout.byteCount, let start = value.baseAddress {
          addresses.store(number, at: start)
        }
        entry = try cursor.next()
      }
      return entry?.key
    }
  }

  /// Notes the rows of Int64 ids from tree key `first` on; returns the key of the next one, if any.
  fileprivate func noteRowNumbers(
    from first: UInt64, in numbers: RowNumbers, _ transaction: borrowing ReadTransaction
  ) throws(EmbeddingError) -> UInt64? {
    var next: UInt64?
    var found: [(hash: UInt64, row: UInt64)] = []
    found.reserveCapacity(Self.entriesAtOnce)
    var readAhead = ReadAhead()
    try forEachID(from: first, in: transaction) { (key, value) throws(EmbeddingError) in
      readAhead.reach(value.baseAddress)
      if found.count == Self.entriesAtOnce {
        next = key
        return false
      }
      found.append((RowKey.hash(TableStorage.key(int64TreeKey: key)), rowNumber(value)))
      return true
    }
    for i in found.indices {
      if i + 8 < found.count { numbers.prefetch(found[i + 8].hash) }
      numbers.store(found[i].hash, row: found[i].row)
    }
    return next
  }
}
