import StorageBase
import TestSupport
import Testing

@testable import Embeddings

@Suite struct RowCacheTests {
  /// Rows come, go, get dirty and clean; a dictionary says which must be there.
  @Test(arguments: [IDType.int64, .bytes], [64 << 10, 300 << 10, 20 << 20])
  func rowsStayUntilEvictedAndTheBudgetIsKept(idType: IDType, bytes: Int) throws {
    let budget = CacheBudget(bytes: bytes)
    let cache = RowCache(
      BlockLayout(dimension: 7, slotCount: 0), rowCount: 100_000, idType: idType, budget: budget)
    var random = SeededGenerator(seed: 5)
    // The floats of each row that was entered, and whether it must still be there.
    var dirty: [UInt64: Float] = [:]
    var entered: [UInt64: Float] = [:]
    for operation in 0..<20_000 {
      let number = UInt64.random(in: 0..<3000, using: &random)
      let text = Array("\(number)".utf8)
      text.withUnsafeBytes { bytes in
        let key =
          idType == .int64
          ? RowKey(int64: Int64(number)) : RowKey(key: xxh3(bytes), bytes: bytes)
        cache.shard(ofKey: key.key).withRows { rows in
          var slot = rows.find(key)
          if slot >= 0 {
            #expect(rows.floats(slot)[0] == entered[number] && rows.floats(slot)[6] == 9)
            if random.oneIn(8), dirty[number] == nil { rows.remove(slot) }
          } else {
            #expect(dirty[number] == nil, "a dirty row was evicted")
            slot = rows.insert(key, row: number, RowCounts())
            if slot < 0 { return }
            entered[number] = Float(operation)
            rows.floats(slot)[0] = Float(operation)
            rows.floats(slot)[6] = 9
          }
          if random.oneIn(4), rows.find(key) >= 0 {
            rows.markDirty(rows.find(key))
            dirty[number] = entered[number]
          }
        }
      }
      if random.oneIn(1500) {
        cache.fix()
        #expect(budget.dirtyBytes == 0 && budget.commitBytes == 0)
        for shard in cache.shards {
          shard.withRows { rows in
            rows.beginCommit()
            rows.takeOverCommit()
          }
        }
        #expect(cache.heldCount == 0)
        dirty = [:]
      }
      if random.oneIn(6000) {
        cache.removeAll()
        #expect(budget.usedBytes == 0)
        dirty = [:]
      }
      #expect(budget.usedBytes <= budget.limit && budget.usedBytes >= 0)
      #expect(cache.dirtyCount == dirty.count)
    }
    cache.removeAll()
    #expect(budget.usedBytes == 0 && budget.dirtyBytes == 0 && budget.commitBytes == 0)
  }

  @Test func theNewestOfRowsThatCannotAllStayAreKept() throws {
    let budget = CacheBudget(bytes: 128 << 10)
    let cache = RowCache(
      BlockLayout(dimension: 16, slotCount: 0), rowCount: 0, idType: .int64, budget: budget)
    cache.shards[0].withRows { rows in
      for id in 0..<5000 as Range<Int64> {
        #expect(rows.insert(RowKey(int64: id), row: 0, RowCounts()) >= 0)
      }
      let newest = (4900..<5000 as Range<Int64>).count { rows.find(RowKey(int64: $0)) >= 0 }
      #expect(newest == 100)
      #expect(rows.occupiedCount < 5000)
    }
  }

  @Test func whereABatchReliesOnRowsNoneLeaves() throws {
    let cache = RowCache(
      BlockLayout(dimension: 16, slotCount: 0), rowCount: 0, idType: .int64,
      budget: CacheBudget(bytes: 128 << 10))
    func insert(_ id: Int64) -> Bool {
      cache.shards[0].withRows { $0.insert(RowKey(int64: id), row: 0, RowCounts()) >= 0 }
    }
    let pins = cache.pins
    var count: Int64 = 0
    #expect(pins.pin(ifStillAt: pins.departureCount))
    while insert(count) { count += 1 }
    #expect(count > 100)
    #expect(
      (0..<count).allSatisfy { id in
        cache.shards[0].withRows { $0.find(RowKey(int64: id)) >= 0 }
      })
    let departures = pins.departureCount
    pins.unpin()
    #expect(insert(count))
    #expect(!pins.pin(ifStillAt: departures))
    // What was refused keeps nothing.
    #expect(insert(count + 1))
  }

  @Test func rowsThatAreFixedAgainAreWrittenOnceAndAsTheyAreThen() {
    let budget = CacheBudget(bytes: 8 << 20)
    let cache = RowCache(
      BlockLayout(dimension: 5, slotCount: 0), rowCount: 0, idType: .int64, budget: budget)
    func write(_ ids: Range<Int64>, _ value: Float) {
      for id in ids { cache.write(id, value) }
    }
    write(0..<2000, 1)
    cache.fix()
    // Some were fixed, and some are new; then some of both once more.
    write(1000..<3000, 2)
    cache.fix()
    write(1500..<2500, 3)
    cache.fix()
    #expect(budget.dirtyBytes == 0 && budget.commitBytes == 0 && cache.heldCount == 3000)
    write(500..<1600, 4)
    #expect(cache.dirtyCount == 1100)

    cache.beginCommit()
    var written: [UInt64: Float] = [:]
    for shard in cache.shards {
      shard.withRows { rows in
        for slot in rows.runningSlots {
          let before = written.updateValue(
            rows.runningState(slot).floats[0], forKey: rows.header(slot).pointee.key)
          #expect(before == nil)
        }
        rows.takeOverCommit()
      }
    }
    #expect(written.count == 3000)
    for id in 0..<3000 as Range<UInt64> {
      #expect(written[id] == (id < 1000 ? 1 : (1500..<2500).contains(id) ? 3 : 2))
    }
    #expect(cache.heldCount == 1100)
    cache.removeAll()
    #expect(budget.usedBytes == 0 && budget.dirtyBytes == 0 && budget.commitBytes == 0)
  }

  @Test func frequencyStaysAtItsLargestValue() {
    var counts = RowCounts(lastStep: 2, frequency: .max - 1)
    counts.addFrequency(1)
    #expect(counts.frequency == .max)
    counts.addFrequency(5)
    #expect(counts.frequency == .max)
  }

  @Test func aHeaderTakes24BytesAndTellsItsFieldsApart() {
    #expect(MemoryLayout<RowHeader>.stride == 24)
    var header = RowHeader(hash: RowKey.hash(77), row: RowHeader.noRow)
    let counts = RowCounts(lastStep: (1 << 46) - 1, frequency: (1 << 32) - 1)
    let fits = header.setNarrow(counts)
    #expect(fits)
    let flags: RowHeader.Flags = [.occupied, .probation, .held]
    header.flags = flags
    header.row = 12
    #expect(header.key == 77 && header.row == 12 && header.narrowCounts == counts)
    #expect(header.flags == flags)
    header.flags.turn = 21
    header.row = RowHeader.noRow
    let fitsAgain = header.setNarrow(RowCounts(lastStep: 3, frequency: 4))
    #expect(fitsAgain)
    #expect(header.row == RowHeader.noRow && header.flags.turn == 21)
    #expect(header.flags.subtracting(.held) == [.occupied, .probation])
    #expect(header.narrowCounts == RowCounts(lastStep: 3, frequency: 4))
  }

  @Test func countsThatNoHeaderHoldsAreKeptAllTheSame() {
    let cache = RowCache(
      BlockLayout(dimension: 4, slotCount: 0), rowCount: 0, idType: .int64,
      budget: CacheBudget(bytes: 128 << 10))
    cache.shards[0].withRows { rows in
      let all = [
        RowCounts(lastStep: -1, frequency: 0), RowCounts(lastStep: .min, frequency: .max),
        RowCounts(lastStep: 1 << 46, frequency: 1), RowCounts(lastStep: 5, frequency: 1 << 32),
        RowCounts(lastStep: 7, frequency: 8),
      ]
      for (id, counts) in all.enumerated() {
        _ = rows.insert(RowKey(int64: Int64(id)), row: 0, counts)
      }
      for (id, counts) in all.enumerated() {
        #expect(rows.counts(rows.find(RowKey(int64: Int64(id)))) == counts)
      }
      #expect(rows.wide.count == 4)
      for id in all.indices { rows.setCounts(rows.find(RowKey(int64: Int64(id))), RowCounts()) }
      #expect(rows.wide.isEmpty)
    }
  }
}
