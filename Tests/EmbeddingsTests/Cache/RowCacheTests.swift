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
            slot = rows.insert(key, row: number, frequency: 0, lastStep: 0)
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
        for shard in cache.shards { shard.withRows { $0.markCommitted() } }
        cache.changedBlocks.removeAll()
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
        #expect(rows.insert(RowKey(int64: id), row: 0, frequency: 0, lastStep: 0) >= 0)
      }
      let newest = (4900..<5000 as Range<Int64>).count { rows.find(RowKey(int64: $0)) >= 0 }
      #expect(newest == 100)
      #expect(rows.occupiedCount < 5000)
    }
  }

  @Test func frequencyStaysAtItsLargestValue() {
    var header = RowHeader(key: 1, lastStep: 2, frequency: .max - 1, row: 3)
    header.addFrequency(1)
    #expect(header.frequency == .max)
    header.addFrequency(5)
    #expect(header.frequency == .max)
  }

  @Test func rowNumberFlagsAndMarkShareAWord() {
    var header = RowHeader(key: 1, lastStep: 2, frequency: 3, row: RowHeader.noRow)
    header.flags = [.occupied, .dirty]
    header.mark = 0xFFFF
    header.row = 12
    #expect(header.row == 12 && header.flags == [.occupied, .dirty] && header.mark == 0xFFFF)
    header.mark = 0
    header.flags.remove(.dirty)
    header.row = RowHeader.noRow
    #expect(header.row == RowHeader.noRow && header.flags == [.occupied] && header.mark == 0)
  }
}
