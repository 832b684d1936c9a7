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
            for slot in rows.runningSlots { rows.markCommitted(Int(slot), number: nil) }
            rows.endCommit()
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
    let counts = RowCounts(lastStep: (1 << 48) - 1, frequency: (1 << 32) - 1)
    let fits = header.setNarrow(counts)
    #expect(fits)
    header.flags = [.occupied, .dirtyA, .dirtyC]
    header.row = 12
    #expect(header.key == 77 && header.row == 12 && header.narrowCounts == counts)
    #expect(header.flags == [.occupied, .dirtyA, .dirtyC])
    header.flags.remove(.dirtyA)
    header.row = RowHeader.noRow
    let fitsAgain = header.setNarrow(RowCounts(lastStep: 3, frequency: 4))
    #expect(fitsAgain)
    #expect(header.row == RowHeader.noRow && header.flags == [.occupied, .dirtyC])
    #expect(header.narrowCounts == RowCounts(lastStep: 3, frequency: 4))
  }

  @Test func countsThatNoHeaderHoldsAreKeptAllTheSame() {
    let cache = RowCache(
      BlockLayout(dimension: 4, slotCount: 0), rowCount: 0, idType: .int64,
      budget: CacheBudget(bytes: 128 << 10))
    cache.shards[0].withRows { rows in
      let all = [
        RowCounts(lastStep: -1, frequency: 0), RowCounts(lastStep: .min, frequency: .max),
        RowCounts(lastStep: 1 << 48, frequency: 1), RowCounts(lastStep: 5, frequency: 1 << 32),
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
