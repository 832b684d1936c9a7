import StorageBase
import Synchronization
import TestSupport
import Testing

@testable import Embeddings

@Suite struct DoorkeeperTests {
  @Test func anIdIsLetInTheSecondTime() throws {
    let doorkeeper = try #require(Doorkeeper(rows: 1000, budget: CacheBudget(bytes: 1 << 20)))
    for id in 0..<200 as Range<UInt64> { _ = doorkeeper.admits(RowKey.hash(id)) }
    for id in 0..<200 as Range<UInt64> { #expect(doorkeeper.admits(RowKey.hash(id))) }
  }

  @Test func fewAreLetInTheFirstTime() throws {
    let doorkeeper = try #require(Doorkeeper(rows: 10_000, budget: CacheBudget(bytes: 1 << 20)))
    let mistakes = (0..<1_000_000 as Range<UInt64>).count { doorkeeper.admits(RowKey.hash($0)) }
    #expect(mistakes < 100_000, "one in sixteen is expected")
    #expect(mistakes > 30_000)
  }

  @Test func itForgetsAfterAsManyAsTheCacheHolds() throws {
    let doorkeeper = try #require(Doorkeeper(rows: 1000, budget: CacheBudget(bytes: 1 << 20)))
    for id in 0..<1300 as Range<UInt64> { _ = doorkeeper.admits(RowKey.hash(id)) }
    #expect((0..<100 as Range<UInt64>).count { doorkeeper.admits(RowKey.hash($0)) } < 20)
    #expect((0..<100 as Range<UInt64>).count { doorkeeper.admits(RowKey.hash($0)) } == 100)
  }

  @Test func itTakesAByteARow() throws {
    let budget = CacheBudget(bytes: 1 << 20)
    do {
      let doorkeeper = try #require(Doorkeeper(rows: 8000, budget: budget))
      #expect(budget.lookupBytes == 8000)
      #expect(!doorkeeper.admits(3))
    }
    #expect(budget.lookupBytes == 0)
    #expect(Doorkeeper(rows: 8000, budget: CacheBudget(bytes: 8000)) == nil)
  }
}
