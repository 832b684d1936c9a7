import StorageBase
import Synchronization

/// The shared rows of those ids of a batch that have none of their own, in the companion table that
/// holds them: adaptive embedding, as DeepRec has it.
struct SharedRows {
  let table: EmbeddingTable
  let scratch: BatchScratch

  /// The name of the table that holds the shared rows of a table.
  static func tableName(of table: String) -> String { table + suffix }
  static let suffix = "/shared"

  /// Brings the shared rows of all occurrences of absent ids into the cache: occurrence `k` of them is
  /// position `k` of the shared batch.
  func makeResident(
    _ absent: borrowing AbsentIDs, _ admission: TableAdmission
  ) throws(EmbeddingError) -> BatchOutcome {
    var shared: [Int64] = []
    shared.reserveCapacity(absent.occurrenceCount)
    for group in absent.groups {
      shared.append(
        contentsOf: repeatElement(admission.sharedRow(of: group.hash), count: group.count))
    }
    scratch.setInitialSlots(table.core.state.withLock { $0.initialSlots })
    return try IDBatch(shared.span).withUnsafeIDs { (ids) throws(EmbeddingError) in
      scratch.group(ids, in: table.cache)
      return try table.makeResident(ids, scratch, absent: .create)
    }
  }

  func createAbsent() { table.createAbsent(scratch) }

  /// Copies vector and slots of the shared row of occurrence `k`.
  func copy(_ k: Int, to floats: UnsafeMutablePointer<Float>) {
    table.cache.shards[table.cache.shardNumber(scratch.hashes[k])].withRows { rows in
      floats.update(
        from: rows.floats(scratch.slots[k].slot), count: table.cache.layout.rowFloats)
    }
  }

  /// Trains the shared rows with the gradients of the ids that still have none of their own: one step
  /// for each row, on the sum of what falls to it.
  func train(_ absent: borrowing AbsentIDs, _ sighting: Sighting) {
    var sighting = sighting
    for group in absent.groups where group.isAdmitted {
      for k in group.occurrences { scratch.slots[k] = .none }
    }
    guard let source = sighting.gradients else { return table.train(scratch, sighting) }
    let dimension = table.storage.layout.dimension
    // Unsafe: the gradients side by side, in the order of the occurrences.
    let count = absent.occurrenceCount
    let gradients = UnsafeMutablePointer<Float>.allocate(capacity: count * dimension)
    defer { gradients.deallocate() }
    for k in 0..<count {
      (gradients + k * dimension).update(
        from: source + absent.position(k) * dimension, count: dimension)
    }
    sighting.gradients = UnsafePointer(gradients)
    table.train(scratch, sighting)
  }
}

/// Reading shared rows.
extension EmbeddingTable {
  /// Copies the vectors that the ids of `scratch.sharing` read, which have no row of their own: shared
  /// ones.
  func readShared(
    _ scratch: BatchScratch, into output: UnsafeMutablePointer<Float>
  ) throws(EmbeddingError) -> BatchOutcome {
    guard let shared, let admission = core.admission, !scratch.sharing.isEmpty else {
      return .done
    }
    let positions = scratch.sharing.positions
    let dimension = storage.layout.dimension
    let ids = positions.map { admission.sharedRow(of: scratch.hashes[Int($0)]) }
    // Unsafe: the vectors side by side, on their way to their places in the batch.
    let vectors = UnsafeMutablePointer<Float>.allocate(capacity: ids.count * dimension)
    defer { vectors.deallocate() }
    let outcome = try shared.core.scratch.withScratch {
      (sharedScratch) throws(EmbeddingError) -> BatchOutcome in
      try IDBatch(ids.span).withUnsafeIDs { (ids) throws(EmbeddingError) -> BatchOutcome in
        guard !database.isReadOnly else {
          try shared.serveCommitted(ids, sharedScratch, into: vectors)
          return .done
        }
        sharedScratch.group(ids, in: shared.cache)
        return try shared.lookup(ids, sharedScratch, into: vectors, mode: .serving)
      }
    }
    for (k, i) in positions.enumerated() {
      (output + Int(i) * dimension).update(from: vectors + k * dimension, count: dimension)
    }
    return outcome
  }
}
