import CKernels
import StorageBase
import Synchronization

/// What a batch does to the ids that it trains, or only counts.
struct Sighting {
  /// Row-major, in batch order; nil where the ids are only counted.
  var gradients: UnsafePointer<Float>?
  var optimizer: AnyRowOptimizer
  var learningRate: Float
  /// Nil leaves the rows' last steps as they are.
  var step: Int64?
  var counting: FrequencyCounting

  /// How often a batch counts in which an id occurs so often.
  func times(_ occurrences: Int) -> UInt32 {
    switch counting {
    case .automatic, .updates: 1
    case .occurrences: UInt32(clamping: occurrences)
    case .none: 0
    }
  }
}

/// Updates where ids have to earn their rows (``TableAdmission``).
extension EmbeddingTable {
  /// Trains the rows that ids of the batch have, decides which of the others get one, and has the rest
  /// counted; these train their shared rows, if the table has any.
  ///
  /// All or nothing: first everything that needs room is brought into the cache, which may fail.
  func see(
    _ ids: UnsafeIDs, _ sighting: Sighting, _ admission: TableAdmission
  ) throws(EmbeddingError) {
    // Here as well as at commits, so that a layer does not get more ids than it is for.
    if let filter = try admission.filter(in: database.environment), filter.mayBeFull {
      try database.gate.exclusive { () throws(EmbeddingError) in
        _ = admission.loadedFilter?.growIfNeeded()
      }
    }
    try batch(ids) { (scratch) throws(EmbeddingError) in
      // Within the gate: an import may have put another one in its place since.
      let filter = try admission.filter(in: database.environment)
      let outcome = try makeResident(ids, scratch, absent: .skip)
      guard outcome == .done else { return outcome }
      scratch.absent.collect(scratch)
      guard let shared, !scratch.absent.isEmpty else {
        return see(ids, scratch, sighting, admission, filter, shared: nil)
      }
      return try shared.core.scratch.withScratch { (sharedScratch) throws(EmbeddingError) in
        let rows = SharedRows(table: shared, scratch: sharedScratch)
        let outcome = try rows.makeResident(scratch.absent, admission)
        guard outcome == .done else { return outcome }
        return see(ids, scratch, sighting, admission, filter, shared: rows)
      }
    }
  }

  private func see(
    _ ids: UnsafeIDs, _ scratch: BatchScratch, _ sighting: Sighting,
    _ admission: TableAdmission, _ filter: AdmissionFilter?, shared: SharedRows?
  ) -> BatchOutcome {
    guard decide(ids, scratch, sighting, admission, filter) else { return .needsCommit }
    // From here on nothing can fail.
    shared?.createAbsent()
    create(scratch, shared)
    if admission.cutoff > 0 { passOverForgotten(ids, scratch) }
    train(scratch, sighting, cutoff: admission.cutoff)
    shared?.train(scratch.absent, sighting)
    if let filter { count(scratch, filter) }
    database.noteBatch()
    return .done
  }

  /// Decides which ids without a row get one, and takes slots for them; false where there is no room.
  /// Nothing is counted yet.
  private func decide(
    _ ids: UnsafeIDs, _ scratch: BatchScratch, _ sighting: Sighting,
    _ admission: TableAdmission, _ filter: AdmissionFilter?
  ) -> Bool {
    guard !scratch.absent.isEmpty else { return true }
    let point = database.state.withLock { $0.live }
    let draw = UInt64(bitPattern: sighting.step ?? point.step) &* golden &+ point.batches
    return forEachAbsent(scratch, filter) { rows, group in
      group.before = filter?.sightings(group.hash) ?? 0
      group.times = sighting.times(group.count)
      group.isAdmitted = admission.admits(
        group.hash, before: group.before, sightings: group.times, draw: draw)
      guard group.isAdmitted else { return true }
      for k in group.occurrences {
        let i = scratch.absent.position(k)
        let slot = takeSlot(
          scratch.key(i, of: ids), &rows, scratch, isOnProbation: admission.cutoff > 0)
        guard slot >= 0 else { return false }
        scratch.slots[i] = FoundSlot(slot, isAbsent: false)
      }
      return true
    }
  }

  /// A slot for an id that is to become a row; another thread may have made it one since.
  private func takeSlot(
    _ key: RowKey, _ rows: inout RowShard, _ scratch: BatchScratch, isOnProbation: Bool
  ) -> Int {
    var slot = rows.find(key)
    if slot < 0 {
      if !isOnProbation { return insertAbsent(key, &rows, scratch) }
      slot = rows.insertOnProbation(key)
      if slot >= 0 { initialize(rows.floats(slot), key: key.key, scratch) }
      return slot
    }
    if !isOnProbation {
      rows.markDirty(slot)
    } else if rows.header(slot).pointee.flags.isDisjoint(with: [.deleted, .probation]) {
      rows.markDirty(slot)
    } else if !rows.isOnProbation(slot) {
      rows.putOnProbation(slot)
    }
    return slot
  }

  /// Makes rows of the ids that are admitted. Where rows are shared, they start as copies.
  private func create(_ scratch: BatchScratch, _ shared: SharedRows?) {
    var created = 0
    _ = forEachAbsent(scratch, nil) { rows, group in
      guard group.isAdmitted else { return true }
      for k in group.occurrences {
        let slot = scratch.slots[scratch.absent.position(k)].slot
        // One on probation may have been forgotten, and one that is no longer `.deleted` was made a
        // row by an equal id, or by another thread.
        guard rows.header(slot).pointee.flags.contains([.occupied, .deleted]),
          rows.header(slot).pointee.hash == group.hash
        else { continue }
        if !rows.isOnProbation(slot) {
          rows.markDirty(slot)
          created += 1
        }
        rows.header(slot).pointee.flags.remove(.deleted)
        rows.setCounts(slot, RowCounts(frequency: UInt64(group.before)))
        rows.life.admitted += 1
        shared?.copy(k, to: rows.floats(slot))
      }
      return true
    }
    core.uncommittedRows.add(created, ordering: .relaxed)
  }

  /// Trains and counts the rows that the batch has, and promotes those that have come to the cutoff.
  ///
  /// - Parameter areResident: whether the rows were brought into the cache for this batch. Else they
  ///   are pinned there.
  func train(
    _ scratch: BatchScratch, _ sighting: Sighting, cutoff: UInt64 = 0, areResident: Bool = true
  ) {
    var promoted = 0
    forEachShard(scratch) { rows, range in
      scratch.distinct.collect(
        range, of: scratch.order, slots: scratch.slots, in: rows, gradients: sighting.gradients)
      if !areResident { promoted += rows.keep(scratch.distinct) }
      if sighting.gradients != nil {
        sighting.optimizer.update(
          rows: UnsafeBufferPointer(
            start: scratch.distinct.rows, count: scratch.distinct.count),
          gradients: scratch.distinct.gradients, learningRate: sighting.learningRate)
      }
      promoted += rows.count(scratch.distinct, sighting, cutoff: cutoff)
    }
    if promoted > 0 { core.uncommittedRows.add(promoted, ordering: .relaxed) }
  }

  /// Passes over ids whose row on probation was forgotten since it was found: for another thread's
  /// ids, or for others of this batch.
  private func passOverForgotten(_ ids: UnsafeIDs, _ scratch: BatchScratch) {
    forEachShard(scratch) { rows, range in
      for k in range {
        let i = Int(scratch.order[k])
        let slot = scratch.slots[i].slot
        guard slot >= 0 else { continue }
        let flags = rows.header(slot).pointee.flags
        if !flags.contains(.occupied) || flags.contains(.deleted)
          || !rows.matches(slot, scratch.key(i, of: ids))
        {
          scratch.slots[i] = .none
        }
      }
    }
  }

  /// Has the filter count the ids that had no row.
  private func count(_ scratch: BatchScratch, _ filter: AdmissionFilter) {
    var newIDs = 0
    _ = forEachAbsent(scratch, filter) { rows, group in
      if group.times > 0 {
        if group.before == 0 { newIDs += 1 }
        filter.count(group.hash, times: group.times)
        rows.unreported.commitBytes += JournalEntry.stride
      }
      return true
    }
    filter.noteNew(newIDs)
  }

  /// Calls `body` for each distinct id that had no row, under the lock of its shard, with the filter's
  /// memory for those ahead on its way, until it returns false.
  private func forEachAbsent(
    _ scratch: BatchScratch, _ filter: AdmissionFilter?,
    _ body: (_ rows: inout RowShard, _ group: inout AbsentIDs.Group) -> Bool
  ) -> Bool {
    let ahead = 8
    let groups = scratch.absent.groups
    var start = 0
    while start < groups.count {
      let number = cache.shardNumber(groups[start].hash)
      let isDone = cache.shards[number].withRows { rows in
        while start < groups.count, cache.shardNumber(groups[start].hash) == number {
          if let filter, start + ahead < groups.count {
            filter.prefetch(groups[start + ahead].hash)
          }
          guard body(&rows, &groups[start]) else { return false }
          start += 1
        }
        return true
      }
      guard isDone else { return false }
    }
    return true
  }
}

extension RowShard {
  /// Notes the distinct rows of a batch, which the lookup before marked as used, as dirty before they
  /// change; makes those rows anew that were deleted since they were found, and returns how many.
  fileprivate mutating func keep(_ distinct: borrowing DistinctRows) -> Int {
    // Rows that will be copied are asked for ahead.
    for position in 0..<distinct.count {
      let slot = Int(distinct.slots[position])
      if isFixed(slot) { prefetchRow(slot, floatCount: layout.rowFloats) }
    }
    var created = 0
    for position in 0..<distinct.count {
      let slot = Int(distinct.slots[position])
      markDirty(slot)
      if header(slot).pointee.flags.contains(.deleted) {
        header(slot).pointee.flags.remove(.deleted)
        created += 1
      }
    }
    return created
  }

  /// Notes step and sightings in the distinct rows of a batch, and promotes those on probation that
  /// have come to the cutoff; returns how many.
  fileprivate mutating func count(
    _ distinct: borrowing DistinctRows, _ sighting: Sighting, cutoff: UInt64
  ) -> Int {
    var promoted = 0
    for position in 0..<distinct.count {
      // Unsafe: asked for, not read.
      if position + 12 < distinct.count {
        ck_prefetch_for_writing(header(Int(distinct.slots[position + 12])))
      }
      let slot = Int(distinct.slots[position])
      let times = sighting.times(Int(distinct.occurrences[position]))
      if !header(slot).pointee.note(step: sighting.step, adding: times) {
        var counts = counts(slot)
        if let step = sighting.step { counts.lastStep = step }
        counts.addFrequency(UInt64(times))
        setCounts(slot, counts)
      }
      if cutoff > 0, isOnProbation(slot), counts(slot).frequency >= cutoff {
        promote(slot)
        promoted += 1
      }
    }
    return promoted
  }
}
