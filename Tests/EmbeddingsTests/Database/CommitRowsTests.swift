import StorageBase
import TestSupport
import Testing

@testable import Embeddings

@Suite struct CommitRowsTests {
  /// A cache of rows of which some are new, and some were deleted, or changed once more.
  private func changedCache() -> (cache: RowCache, new: [(key: UInt64, frequency: UInt64)]) {
    let cache = RowCache(
      BlockLayout(dimension: 4, slotCount: 0), rowCount: 1 << 20, idType: .int64,
      budget: CacheBudget(bytes: 256 << 20))
    var random = SeededGenerator(seed: 3)
    var new: [(key: UInt64, frequency: UInt64)] = []
    var changed: [RowKey] = []
    for number in 0..<40_000 as Range<UInt64> {
      let key = RowKey(int64: Int64(truncatingIfNeeded: mix64(number)))
      let isNew = random.oneIn(2)
      let isDeleted = random.oneIn(50)
      // Most are small; some need more than a header has.
      let frequency =
        random.oneIn(100)
        ? UInt64.random(in: 0..<1 << 40, using: &random)
        : UInt64.random(in: 0..<5, using: &random)
      cache.shard(ofKey: key.key).withRows { rows in
        let slot = rows.insert(
          key, row: isNew ? RowHeader.noRow : number,
          RowCounts(lastStep: 1, frequency: frequency))
        rows.floats(slot)[0] = Float(number)
        if isDeleted { rows.header(slot).pointee.flags.insert(.deleted) }
        rows.markDirty(slot)
      }
      if isNew, !isDeleted { new.append((key.key, frequency)) }
      if random.oneIn(10) { changed.append(key) }
    }
    cache.fix()
    cache.beginCommit()
    for key in changed {
      cache.shard(ofKey: key.key).withRows { rows in
        let slot = rows.find(key)
        rows.markDirty(slot)
        rows.floats(slot)[0] = -1
        rows.setCounts(slot, RowCounts(lastStep: 2, frequency: 1 << 50))
      }
    }
    return (cache, new)
  }

  @Test func newRowsAreOrderedByFrequencyAndKeyWhateverTheNumberOfThreads() {
    let (cache, new) = changedCache()
    #expect(cache.shards.count == 32)
    let byFrequency = new.sorted {
      let (one, other) = (UInt32(clamping: $0.frequency), UInt32(clamping: $1.frequency))
      return one != other
        ? one > other
        : TableStorage.treeKey(int64: $0.key) < TableStorage.treeKey(int64: $1.key)
    }.map { TableStorage.treeKey(int64: $0.key) }
    for threadCount in [0, 1, 2, 3, 8, 64] {
      let rows = CommitRows(cache, .int64, threadCount: threadCount, at: nil)
      var order = [UInt64](repeating: 0, count: rows.newByKey.count)
      for row in rows.newByKey { order[Int(row.value)] = row.key }
      #expect(order == byFrequency)
      #expect(rows.newByKey.map(\.key) == byFrequency.sorted())
      #expect(rows.old.map(\.key) == rows.old.map(\.key).sorted())
      #expect(rows.count + rows.deleted.count + rows.gone.count == 40_000)
    }
  }

  @Test func rowsAreFoundAsTheyWereWhenTheStateWasFixed() {
    let (cache, new) = changedCache()
    let rows = CommitRows(cache, .int64, threadCount: 4, at: nil)
    let frequencies = Dictionary(uniqueKeysWithValues: new.map { ($0.key, $0.frequency) })
    for place in 0..<rows.newByKey.count {
      rows.withState(of: rows.row(rows.newIndex(at: place))) { hash, counts, floats in
        let key = RowKey.key(ofHash: hash)
        #expect(counts == RowCounts(lastStep: 1, frequency: frequencies[key] ?? .max))
        #expect(UInt64(mix64(UInt64(floats[0]))) == key)
      }
    }
    // All are let go, but for those that changed again.
    let changed = cache.dirtyCount
    let holes: [UInt64] = [3, 5]
    rows.release(NewNumbers(holes: holes[...], first: 1 << 20), at: nil)
    for row in rows.deleted + rows.gone {
      cache.shards[Int(row.shard)].withRows { $0.markCommitted(deleted: row) }
    }
    #expect(cache.heldCount == changed)
    var numbers: Set<UInt64> = []
    for (key, _) in new {
      cache.shard(ofKey: key).withRows { rows in
        let slot = rows.find(RowKey(key: key, bytes: .init(start: nil, count: 0)))
        numbers.insert(rows.header(slot).pointee.row)
      }
    }
    #expect(numbers == Set(holes + (0..<UInt64(new.count - 2)).map { 1 << 20 + $0 }))
  }

  /// The same training, committed by one thread or several, gives rows the same numbers.
  @Test func aCommitWithoutThreadsGivesRowsTheSameNumbers() throws {
    func order(withThreads: Bool) throws -> [Int64] {
      let scratch = Scratch()
      let database = try scratch.open()
      let table = try database.table("t", plain)
      for step in 0..<4 as Range<Int64> {
        try table.set((0..<20_000).map { mixed($0 / (step + 1)) }, to: 1, step: step)
        try table.set((0..<20_000).map { mixed($0 + 90_000 * step) }, to: 2, step: step)
        if step == 2 { try table.delete(IDColumn((0..<500).map { mixed($0) }).batch) }
        if withThreads {
          try database.commit(step: step)
        } else {
          try ThreadFaults.refuse { try database.commit(step: step) }
        }
      }
      var ids: [Int64] = []
      try table.forEachBatch(ofAtMost: 1000, includingSlots: false) { (rows) in
        ids += rows.ids.int64s
        return true
      }
      return ids
    }
    func mixed(_ number: Int64) -> Int64 { number &* 7_919 % 1_000_003 }
    let expected = try order(withThreads: false)
    #expect(expected.count > 20_000)
    #expect(try order(withThreads: true) == expected)
  }

  @Test func listsThatAreMoreThanTheirShareStandInTheScratchFile() {
    let scratch = TemporaryDirectory()
    let plain = CacheBudget(bytes: 1 << 20)
    let share = plain.commitLimit * 6 / 10
    #expect(!ListMemory(byteCount: share + 1, budget: plain).isScratch)
    let budget = CacheBudget(
      bytes: 1 << 20, scratchDirectory: scratch.path, scratchLimit: 16 << 20)
    #expect(!ListMemory(byteCount: share, budget: budget).isScratch)
    do {
      let lists = ListMemory(byteCount: share + 1, budget: budget)
      #expect(lists.isScratch)
      lists.start.storeBytes(of: 7, toByteOffset: share - 7, as: UInt8.self)
      // Two commits at a time at most, of which each may be as large as is due.
      #expect(!ListMemory(byteCount: 2 << 20, budget: budget).isScratch)
    }
    #expect(ListMemory(byteCount: 2 << 20, budget: budget).isScratch)
  }

  @Test func aCommitIsDueWhenItsListsFillTheirShare() {
    let scratch = TemporaryDirectory()
    let rows = 10_000
    func load(_ budget: CacheBudget) -> Double {
      budget.addDirty(
        0, commitBytes: rows * CacheLayout.commitBytes, listBytes: rows * CacheLayout.listBytes)
      return budget.listLoad
    }
    let inMemory = load(CacheBudget(bytes: 1 << 20))
    #expect(inMemory > 2)
    let inFile = load(
      CacheBudget(bytes: 1 << 20, scratchDirectory: scratch.path, scratchLimit: 16 << 20))
    #expect(inFile < inMemory / 4 && inFile > 0.3)
  }
}
