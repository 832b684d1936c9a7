import StorageBase
import Synchronization
import TestSupport
import Testing

@testable import Embeddings

@Suite struct RowNumberCacheTests {
  private func has(_ numbers: RowNumbers, _ id: UInt64, _ row: UInt64) -> Bool {
    var candidates = numbers.candidates(RowKey.hash(id))
    while let candidate = candidates.next() { if candidate == row { return true } }
    return false
  }

  /// The row of an id in these tests.
  private func row(_ id: UInt64) -> UInt64 { (id &* 0x9E37_79B1) % 300_000 }

  @Test(arguments: [300_000, 1 << 30] as [UInt64])
  func rowsAreFoundAndHardlyEverOthers(rowCount: UInt64) throws {
    let budget = CacheBudget(bytes: 32 << 20)
    let numbers = try #require(
      RowNumbers(RowNumbers.Shape(rowCount: rowCount, entries: 450_000), budget: budget))
    #expect(numbers.shape.isWide == (rowCount > 1 << 25))
    #expect(budget.lookupBytes == numbers.shape.bytes)
    for id in 1...300_000 as ClosedRange<UInt64> { numbers.store(RowKey.hash(id), row: row(id)) }
    var (found, others) = (0, 0)
    for id in 1...300_000 as ClosedRange<UInt64> {
      var candidates = numbers.candidates(RowKey.hash(id))
      while let candidate = candidates.next() {
        if candidate == row(id) { found += 1 } else { others += 1 }
      }
    }
    // At two thirds of the room hardly any group of buckets is full.
    #expect(found > (numbers.shape.isWide ? 299_000 : 299_900))
    #expect(others < 12_000)
  }

  @Test(arguments: [1, 2, 3, 5, 6, 7])
  func anyNumberOfBucketsIsFilled(buckets: Int) throws {
    let numbers = try #require(
      RowNumbers(
        RowNumbers.Shape(rowCount: 1000, entries: 16 * buckets),
        budget: CacheBudget(bytes: 1 << 20)))
    #expect(numbers.shape.bucketCount == buckets)
    let ids = 1...UInt64(16 * buckets)
    for id in ids { numbers.store(RowKey.hash(id), row: id) }
    // Entries go to the other buckets of their group of four, and not behind the last one.
    let found = ids.count { has(numbers, $0, $0) }
    #expect(found > 16 * buckets * 3 / 4)
    #expect(buckets > 2 || found == 16 * buckets)
  }

  @Test func anIdWhoseKeyIsZeroIsNeverThere() throws {
    let numbers = try #require(
      RowNumbers(
        RowNumbers.Shape(rowCount: 10, entries: 100), budget: CacheBudget(bytes: 1 << 20)))
    numbers.store(RowKey.hash(0), row: 3)
    #expect(!has(numbers, 0, 3))
  }

  @Test func rowsMoveAndGo() throws {
    let numbers = try #require(
      RowNumbers(
        RowNumbers.Shape(rowCount: 1000, entries: 2000), budget: CacheBudget(bytes: 1 << 20)))
    for id in 1..<900 as Range<UInt64> { numbers.store(RowKey.hash(id), row: id) }
    for id in 1..<900 as Range<UInt64> {
      let isThere = has(numbers, id, id)
      numbers.move(RowKey.hash(id), from: id, to: id % 2 == 0 ? nil : id + 100_000)
      #expect(!has(numbers, id, id))
      #expect(has(numbers, id, id + 100_000) == (isThere && id % 2 != 0))
    }
    // A row that no entry can name is not stored.
    numbers.store(RowKey.hash(5), row: 1 << 39)
    #expect(!has(numbers, 5, 1 << 39))
  }

  @Test func itGrowsAsEntriesComeAndHoldsNearlyAll() throws {
    // A fortieth of 5 million rows, and of 128 MiB.
    let budget = CacheBudget(bytes: 128 << 20 / 40)
    let cache = RowNumberCache(budget: budget)
    let rows: UInt64 = 125_000
    #expect(cache.lease(rowCount: 0, leaving: 0) == nil && cache.current == nil)
    #expect(cache.lease(rowCount: rows, leaving: 75 << 10)?.shape.bytes == 64 << 10)
    for _ in 0..<2 {
      for id in 1...rows {
        cache.lease(rowCount: rows, leaving: 75 << 10)?.store(RowKey.hash(id), row: id - 1)
      }
    }
    let numbers = try #require(cache.current)
    let found = (1...rows).count { has(numbers, $0, $0 - 1) }
    #expect(Double(found) > 0.97 * Double(rows))
    #expect(budget.lookupBytes <= budget.lookupLimit - 75 << 10)
  }

  @Test func itGrowsWithTheTable() throws {
    let budget = CacheBudget(bytes: 64 << 20)
    let cache = RowNumberCache(budget: budget)
    var sizes: [Int] = []
    for id in 1...400_000 as ClosedRange<UInt64> {
      // Nil for once where there is room for the new one only without the old one.
      guard let numbers = cache.lease(rowCount: id, leaving: 0) else { continue }
      numbers.store(RowKey.hash(id), row: id - 1)
      if sizes.last != numbers.shape.bytes { sizes.append(numbers.shape.bytes) }
    }
    #expect(sizes == sizes.sorted())
    // From two buckets to 400,000 entries, by half or more each time.
    #expect(sizes.count < 30 && sizes.last! > 400_000 * 4)
    let numbers = try #require(cache.current)
    #expect((200_000...400_000).count { has(numbers, $0, $0 - 1) } > 0)
  }

  @Test func theBudgetIsKeptAndGivenBack() throws {
    let budget = CacheBudget(bytes: 1 << 20)
    let cache = RowNumberCache(budget: budget)
    let other = RowNumberCache(budget: budget)
    for id in 1...200_000 as ClosedRange<UInt64> {
      cache.lease(rowCount: 200_000, leaving: 0)?.store(RowKey.hash(id), row: id)
      other.lease(rowCount: 200_000, leaving: 0)?.store(RowKey.hash(id), row: id)
      #expect(budget.lookupBytes <= budget.lookupLimit)
    }
    #expect(budget.lookupBytes > budget.lookupLimit / 2)
    do {
      let lease = cache.current
      cache.removeAll()
      other.removeAll()
      #expect(cache.current == nil && budget.lookupBytes == lease?.shape.bytes ?? 0)
    }
    #expect(budget.lookupBytes == 0)
    #expect(RowNumberCache(budget: CacheBudget(bytes: 0)).lease(rowCount: 9, leaving: 0) == nil)
  }

  @Test func aTableOfOtherProportionsGetsOtherEntries() throws {
    let cache = RowNumberCache(budget: CacheBudget(bytes: 64 << 20))
    #expect(try #require(cache.lease(rowCount: 1000, leaving: 0)).shape.isWide == false)
    // The old entries go first.
    #expect(cache.lease(rowCount: 1 << 33, leaving: 0) == nil)
    let wide = try #require(cache.lease(rowCount: 1 << 33, leaving: 0))
    #expect(wide.shape.isWide)
    wide.store(RowKey.hash(7), row: 1 << 33 - 1)
    #expect(has(wide, 7, 1 << 33 - 1))
  }

  @Test func threadsReadOnlyWhatSomebodyStored() throws {
    let cache = RowNumberCache(budget: CacheBudget(bytes: 2 << 20))
    var threads = [0, 1, 2, 3]
    let problem = inThreads(&threads) { thread, _ -> String? in
      var random = SeededGenerator(seed: UInt64(thread))
      for _ in 0..<200_000 {
        let id = UInt64.random(in: 1...50_000, using: &random)
        guard let numbers = cache.lease(rowCount: 50_001, leaving: 0) else { continue }
        let hash = RowKey.hash(id)
        var candidates = numbers.candidates(hash)
        while let row = candidates.next() {
          // 0 where the entry went while it was read.
          if row > 50_000 { return "row \(row) was never stored" }
        }
        numbers.store(hash, row: id)
        if random.oneIn(10) { numbers.move(hash, from: id, to: random.oneIn(2) ? nil : 50_000) }
        if random.oneIn(50_000) { cache.removeAll() }
      }
      return nil
    }
    #expect(problem == nil)
  }
}
